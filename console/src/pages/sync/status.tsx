import { Badge, Group } from "@mantine/core";
import type { Sync } from "~/api/sync";
import { type Outcome, outcomeOf, progressOf } from "~/pages/sync/words";
import { ProgressBar } from "~/ui/job-status";

const COLORS: Record<Outcome, string> = {
  running: "blue",
  success: "teal",
  cancelled: "gray",
  error: "red",
};
/** What the job of a sync is called when it stands so: bars are coloured by that. */
const JOB_STATUSES: Record<Outcome, string> = {
  running: "running",
  success: "completed",
  cancelled: "cancelled",
  error: "errored",
};

/** The status of a sync, as a word in its colour; `paused` is known only of its job. */
export function SyncStatus({ sync, paused = false }: { sync: Sync; paused?: boolean }) {
  const outcome = outcomeOf(sync);
  return (
    <Group gap={4}>
      <Badge variant="light" tt="none" color={paused ? "yellow" : COLORS[outcome]}>
        {paused
          ? "paused"
          : sync.phase === "watching" && outcome === "running"
            ? "watching"
            : outcome}
      </Badge>
      {sync.dry_run && (
        <Badge variant="outline" tt="none" color="gray">
          plan only
        </Badge>
      )}
    </Group>
  );
}

export function SyncProgress({ sync, paused = false }: { sync: Sync; paused?: boolean }) {
  return (
    <ProgressBar
      value={progressOf(sync)}
      status={paused ? "paused" : JOB_STATUSES[outcomeOf(sync)]}
      label={`Progress of ${sync.dest}`}
    />
  );
}
