import { Table, Text } from "@mantine/core";
import type { SystemWorker } from "~/api/system";
import { Time } from "~/ui/values";

/** Who runs jobs. */
export function Workers({ workers }: { workers: SystemWorker[] }) {
  if (workers.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        No worker runs. Jobs wait until one does: start <code>mediatheque worker</code>.
      </Text>
    );
  }
  return (
    <Table.ScrollContainer minWidth={460}>
      <Table aria-label="Workers" verticalSpacing={8}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Name</Table.Th>
            <Table.Th>Machine</Table.Th>
            <Table.Th ta="right">Jobs now</Table.Th>
            <Table.Th>Since</Table.Th>
            <Table.Th>Last sign of life</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {workers.map((worker) => (
            <Table.Tr key={worker.id}>
              <Table.Td>
                {worker.name}
                {worker.warning !== null && (
                  <Text size="xs" c="dimmed">
                    {worker.warning}
                  </Text>
                )}
              </Table.Td>
              <Table.Td>{worker.host}</Table.Td>
              <Table.Td ta="right">{worker.running}</Table.Td>
              <Table.Td>
                <Time value={worker.started_at} />
              </Table.Td>
              <Table.Td>
                <Time value={worker.seen_at} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
