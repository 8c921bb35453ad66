import { ActionIcon, Code, Table, Text, Tooltip } from "@mantine/core";
import { modals } from "@mantine/modals";
import { IconCalendarRepeat, IconTrash } from "@tabler/icons-react";
import type { Schedule } from "~/api/sync";
import { useRemoveSchedule, useSchedules } from "~/pages/sync/queries";
import { cronInWords } from "~/pages/sync/schedules/cron";
import { sourceName } from "~/pages/sync/words";
import { LinkButton } from "~/ui/links";
import { Loading } from "~/ui/loading";
import { EmptyState, ErrorState } from "~/ui/states";
import { Time } from "~/ui/values";

/** The syncs that start by themselves. */
export function Schedules() {
  const { data, error, isPending, refetch } = useSchedules();
  if (isPending) return <Loading rows={3} height={56} />;
  if (error !== null) return <ErrorState error={error} retry={() => void refetch()} />;
  if (data === undefined || data.length === 0) return <NoneYet />;
  return (
    <Table verticalSpacing="sm" highlightOnHover layout="fixed" aria-label="Schedules">
      <Table.Thead>
        <Table.Tr>
          <Table.Th>What</Table.Th>
          <Table.Th>When (UTC)</Table.Th>
          <Table.Th w={150} visibleFrom="sm">
            Next
          </Table.Th>
          <Table.Th w={80} ta="right">
            Remove
          </Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {data.map((schedule) => (
          <Row key={schedule.id} schedule={schedule} />
        ))}
      </Table.Tbody>
    </Table>
  );
}

function Row({ schedule }: { schedule: Schedule }) {
  const { id, cron, dest, next_at: next, storage_url: store } = schedule;
  const remove = useRemoveSchedule();
  const words = cronInWords(cron);
  const what = `${sourceName(schedule)} → ${dest}`;

  const ask = () =>
    modals.openConfirmModal({
      title: "Remove this schedule?",
      children: (
        <Text size="sm">
          {what} starts no more by itself. A sync that it has started goes on, and the bucket stays
          as it is.
        </Text>
      ),
      labels: { confirm: "Remove the schedule", cancel: "Keep it" },
      confirmProps: { color: "red" },
      onConfirm: () => remove.mutate(id),
    });

  return (
    <Table.Tr>
      <Table.Td>
        <Text fw={600} style={{ overflowWrap: "anywhere" }}>
          {what}
        </Text>
        {store !== null && (
          <Text size="xs" c="dimmed" truncate>
            at {store}
          </Text>
        )}
      </Table.Td>
      <Table.Td>
        {words !== null && <Text size="sm">{words}</Text>}
        <Code>{cron}</Code>
      </Table.Td>
      <Table.Td visibleFrom="sm">
        <Time value={next} />
      </Table.Td>
      <Table.Td ta="right">
        <Tooltip label="Remove">
          <ActionIcon
            variant="subtle"
            color="red"
            aria-label={`Remove the schedule of ${dest}`}
            loading={remove.isPending}
            onClick={ask}
          >
            <IconTrash size={18} aria-hidden />
          </ActionIcon>
        </Tooltip>
      </Table.Td>
    </Table.Tr>
  );
}

function NoneYet() {
  return (
    <EmptyState
      icon={IconCalendarRepeat}
      title="Nothing starts by itself"
      action={
        <LinkButton to="/sync" search={{ view: "new", when: "schedule" }}>
          Make a schedule
        </LinkButton>
      }
    >
      A schedule starts a sync again and again: every night at three, for example.
    </EmptyState>
  );
}
