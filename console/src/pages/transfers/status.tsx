import { Badge } from "@mantine/core";
import type { TransferStatus as Status, Transfer } from "~/api/transfers";
import { ProgressBar } from "~/ui/job-status";

const COLORS: Record<Status, string> = {
  pending: "gray",
  running: "blue",
  paused: "yellow",
  complete: "teal",
  failed: "red",
  cancelled: "gray",
};

/** What the job of a transfer is called in each status: bars are coloured by that. */
const JOB_STATUSES: Partial<Record<Status, string>> = { complete: "completed", failed: "errored" };

/** The status of a transfer, as a word in its colour. */
export function TransferStatus({ status }: { status: Status }) {
  return (
    <Badge variant="light" color={COLORS[status]} tt="none">
      {status}
    </Badge>
  );
}

export function TransferProgress({ transfer, label }: { transfer: Transfer; label: string }) {
  const { status, progress } = transfer;
  return <ProgressBar value={progress} status={JOB_STATUSES[status] ?? status} label={label} />;
}
