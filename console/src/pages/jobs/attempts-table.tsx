import { Table, Text } from "@mantine/core";
import { formatDuration } from "~/ui/format";
import { Time } from "~/ui/values";
import { type Attempt, secondsRun } from "./attempts";
import classes from "./detail.module.css";

/** Every run of a job: who ran it, for how long, and how that ended. */
export function AttemptsTable({ attempts, now }: { attempts: Attempt[]; now: number }) {
  if (attempts.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        No worker has taken it yet.
      </Text>
    );
  }
  return (
    <Table.ScrollContainer minWidth={300}>
      <Table aria-label="Attempts" verticalSpacing={6}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th w={36}>#</Table.Th>
            <Table.Th>Worker</Table.Th>
            <Table.Th visibleFrom="sm">Began</Table.Th>
            <Table.Th>Ran</Table.Th>
            <Table.Th>Ended</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {attempts.map((attempt) => (
            <Table.Tr key={attempt.number}>
              <Table.Td>{attempt.number}</Table.Td>
              <Table.Td>{attempt.worker}</Table.Td>
              <Table.Td className={classes.short} visibleFrom="sm">
                <Time value={attempt.began} />
              </Table.Td>
              <Table.Td className={classes.short}>
                {formatDuration(secondsRun([attempt], now))}
              </Table.Td>
              <Table.Td>
                {attempt.outcome}
                {attempt.reason !== null && (
                  <Text size="xs" c="dimmed" lineClamp={2} title={attempt.reason}>
                    {attempt.reason}
                  </Text>
                )}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
