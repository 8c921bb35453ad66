import { Alert, Button, Stack } from "@mantine/core";
import { IconAlertTriangle, IconClock } from "@tabler/icons-react";
import { useParams } from "@tanstack/react-router";
import type { Transfer } from "~/api/transfers";
import { Actions } from "~/pages/transfers/detail/actions";
import { FileTable } from "~/pages/transfers/detail/files";
import { Overview } from "~/pages/transfers/detail/overview";
import { FilesUnderWay } from "~/pages/transfers/detail/under-way";
import { useTransfer } from "~/pages/transfers/queries";
import { isMoving, titleOf } from "~/pages/transfers/words";
import { BackLink } from "~/ui/back-link";
import { countOf } from "~/ui/format";
import { Loading } from "~/ui/loading";
import { PageHeader } from "~/ui/page-header";
import { useSearchText } from "~/ui/search-params";
import { ErrorState } from "~/ui/states";

/** One transfer: how far it is, what it does right now, and what became of every file. */
export default function TransferDetail() {
  const { id = "" } = useParams({ strict: false });
  const found = useTransfer(id);
  if (found.data === undefined) {
    return (
      <>
        <BackLink to="/transfers">All transfers</BackLink>
        <PageHeader title="Transfer" />
        {found.isError ? (
          <ErrorState error={found.error} retry={() => void found.refetch()} />
        ) : (
          <Loading rows={4} height={90} />
        )}
      </>
    );
  }
  const transfer = found.data;
  return (
    <>
      <BackLink to="/transfers">All transfers</BackLink>
      <PageHeader title={titleOf(transfer)}>
        <Actions transfer={transfer} />
      </PageHeader>
      <Stack>
        <Trouble transfer={transfer} />
        <Overview transfer={transfer} at={found.dataUpdatedAt} />
        <FilesUnderWay id={id} moving={isMoving(transfer)} />
        <FileTable transfer={transfer} />
      </Stack>
    </>
  );
}

/** What went wrong, or is waited for, and what can be done about it. */
function Trouble({ transfer }: { transfer: Transfer }) {
  const [, setState] = useSearchText("state");
  const { files, error } = transfer;
  if (isMoving(transfer) && error !== null) {
    return (
      <Alert color="orange" icon={<IconClock aria-hidden />} title="It is tried again by itself">
        {error}
      </Alert>
    );
  }
  if (files.failed === 0 && error === null) return null;
  const title = files.failed > 0 ? `${countOf(files.failed, "file")} failed` : "It failed";
  return (
    <Alert color="red" icon={<IconAlertTriangle aria-hidden />} title={title}>
      <Stack gap="xs" align="flex-start">
        {files.failed > 0
          ? "The list of files says why. Mend that, then retry: the files that are complete are left alone."
          : error}
        {files.failed > 0 && (
          <Button size="xs" variant="light" color="red" onClick={() => setState("failed")}>
            Show what failed
          </Button>
        )}
      </Stack>
    </Alert>
  );
}
