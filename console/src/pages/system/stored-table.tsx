import { Grid, Table, Text } from "@mantine/core";
import type { Stored } from "~/api/system";
import { formatBytes, formatCount } from "~/ui/format";
import { MEDIA_KINDS } from "~/ui/media-kind";
import { lastDays } from "./stored-days";

const DAYS = 30;

/** What is stored, in numbers. */
export function StoredTable({ stored }: { stored: Stored }) {
  const days = lastDays(stored, DAYS)
    .filter(({ amounts }) => Object.keys(amounts).length > 0)
    .reverse();
  return (
    <Grid gap="lg">
      <Grid.Col span={{ base: 12, sm: 5 }}>
        <Amounts
          label="By kind"
          first="Kind"
          rows={stored.by_kind.map(({ kind, ...amount }) => ({
            name: MEDIA_KINDS[kind].label,
            ...amount,
          }))}
        />
      </Grid.Col>
      <Grid.Col span={{ base: 12, sm: 7 }}>
        {days.length === 0 ? (
          <Text size="sm" c="dimmed">
            Nothing came in the last {DAYS} days.
          </Text>
        ) : (
          <Amounts
            label={`What came in the last ${DAYS} days`}
            first="Day (UTC)"
            rows={days.map(({ day, amounts }) => ({
              name: day,
              count: Object.values(amounts).reduce((sum, one) => sum + one.count, 0),
              bytes: Object.values(amounts).reduce((sum, one) => sum + one.bytes, 0),
            }))}
          />
        )}
      </Grid.Col>
    </Grid>
  );
}

function Amounts(props: {
  label: string;
  first: string;
  rows: { name: string; count: number; bytes: number }[];
}) {
  return (
    <Table aria-label={props.label} captionSide="top">
      <Table.Caption>{props.label}</Table.Caption>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>{props.first}</Table.Th>
          <Table.Th ta="right">Number</Table.Th>
          <Table.Th ta="right">Size</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {props.rows.map(({ name, count, bytes }) => (
          <Table.Tr key={name}>
            <Table.Td>{name}</Table.Td>
            <Table.Td ta="right">{formatCount(count)}</Table.Td>
            <Table.Td ta="right">{formatBytes(bytes)}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
