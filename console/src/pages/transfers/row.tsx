import { Box, Table, Text } from "@mantine/core";
import { pathOf } from "~/api/folders";
import type { Transfer } from "~/api/transfers";
import { TransferProgress, TransferStatus } from "~/pages/transfers/status";
import { secondsTaken, titleOf } from "~/pages/transfers/words";
import { Danger } from "~/ui/danger";
import { formatCount, formatDuration } from "~/ui/format";
import { LinkAnchor } from "~/ui/links";
import { Bytes, Time } from "~/ui/values";

/** One transfer of the list. */
export function TransferRow({ transfer }: { transfer: Transfer }) {
  const { id, status, files, bytes, sources } = transfer;
  const title = titleOf(transfer);
  const seconds = secondsTaken(transfer);
  const label = `Progress of ${title}`;
  return (
    <Table.Tr>
      <Table.Td>
        <LinkAnchor to="/transfers/$id" params={{ id }} fw={600} truncate display="block">
          {title}
        </LinkAnchor>
        <Text size="xs" c="dimmed" truncate title={sources.map(pathOf).join("\n")}>
          {pathOf(sources[0] ?? "")}
        </Text>
        <Box hiddenFrom="sm" mt={4}>
          <TransferProgress transfer={transfer} label={label} />
        </Box>
      </Table.Td>
      <Table.Td>
        <TransferStatus status={status} />
      </Table.Td>
      <Table.Td visibleFrom="sm">
        <TransferProgress transfer={transfer} label={label} />
      </Table.Td>
      <Table.Td ta="right" visibleFrom="md">
        {formatCount(files.total)}
        {files.failed > 0 && <Danger size="xs">{formatCount(files.failed)} failed</Danger>}
      </Table.Td>
      <Table.Td ta="right" visibleFrom="md">
        <Bytes value={bytes.total} />
      </Table.Td>
      <Table.Td visibleFrom="lg">{seconds === null ? "–" : formatDuration(seconds)}</Table.Td>
      <Table.Td visibleFrom="sm">
        <Time value={transfer.created_at} />
      </Table.Td>
    </Table.Tr>
  );
}
