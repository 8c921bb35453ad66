import { ScrollArea, SegmentedControl, Stack, Table } from "@mantine/core";
import { IconFolderSymlink } from "@tabler/icons-react";
import { useTransfers } from "~/pages/transfers/queries";
import { TransferRow } from "~/pages/transfers/row";
import { LinkButton } from "~/ui/links";
import { Loading } from "~/ui/loading";
import { OlderOnes } from "~/ui/older";
import { useSearchText } from "~/ui/search-params";
import { EmptyState, ErrorState } from "~/ui/states";

const STATUSES = [
  { value: "", label: "All" },
  { value: "pending,running", label: "Under way" },
  { value: "paused", label: "Paused" },
  { value: "complete", label: "Complete" },
  { value: "failed", label: "Failed" },
  { value: "cancelled", label: "Cancelled" },
];

/** The transfers there are, newest first, filtered by status. */
export function TransferList() {
  const [status, setStatus] = useSearchText("status");
  return (
    <Stack>
      <ScrollArea type="never">
        <SegmentedControl
          aria-label="Status"
          data={STATUSES}
          value={status}
          onChange={setStatus}
          size="xs"
        />
      </ScrollArea>
      <Found status={status} />
    </Stack>
  );
}

function Found({ status }: { status: string }) {
  const found = useTransfers(status);
  if (found.isPending) return <Loading rows={6} height={56} />;
  if (found.isError) {
    return <ErrorState error={found.error} retry={() => void found.refetch()} />;
  }
  if (found.transfers.length === 0) return status === "" ? <NoneYet /> : <NoneOfThese />;
  return (
    <>
      <Table verticalSpacing="sm" highlightOnHover aria-label="Transfers" layout="fixed">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>What</Table.Th>
            <Table.Th w={104}>Status</Table.Th>
            <Table.Th w={190} visibleFrom="sm">
              Progress
            </Table.Th>
            <Table.Th w={120} ta="right" visibleFrom="md">
              Files
            </Table.Th>
            <Table.Th w={110} ta="right" visibleFrom="md">
              Size
            </Table.Th>
            <Table.Th w={120} visibleFrom="lg">
              Took
            </Table.Th>
            <Table.Th w={130} visibleFrom="sm">
              Started
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {found.transfers.map((transfer) => (
            <TransferRow key={transfer.id} transfer={transfer} />
          ))}
        </Table.Tbody>
      </Table>
      <OlderOnes found={found} />
    </>
  );
}

function NoneYet() {
  return (
    <EmptyState
      icon={IconFolderSymlink}
      title="Nothing was transferred yet"
      action={
        <LinkButton to="/transfers" search={{ view: "new" }}>
          Choose a folder
        </LinkButton>
      }
    >
      A transfer copies a folder of the service's own machine into the store. Every file becomes a
      media, and whatever is interrupted goes on where it was.
    </EmptyState>
  );
}

function NoneOfThese() {
  return (
    <EmptyState icon={IconFolderSymlink} title="No transfer has this status">
      Choose another status above to see the others.
    </EmptyState>
  );
}
