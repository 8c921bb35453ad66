import { Badge, Table, Text } from "@mantine/core";
import { lastName, pathOf } from "~/api/folders";
import type { FileState, TransferFile } from "~/api/transfers";
import { Danger } from "~/ui/danger";
import { ProgressBar } from "~/ui/job-status";
import { LinkAnchor } from "~/ui/links";
import { Bytes } from "~/ui/values";
import { type Column, VirtualTable } from "~/ui/virtual-table";

const COLUMNS: Column[] = [
  { name: "File" },
  { name: "State", width: 130 },
  { name: "Size", width: 100, align: "right", phone: false },
];
const COLORS: Record<FileState, string> = {
  pending: "gray",
  complete: "teal",
  failed: "red",
  skipped: "yellow",
};

interface Props {
  files: TransferFile[];
  moving: boolean;
  onEnd: () => void;
}

export function FileRows({ files, moving, onEnd }: Props) {
  return (
    <VirtualTable
      label="Files of the transfer"
      columns={COLUMNS}
      rows={files}
      keyOf={({ position }) => position}
      rowHeight={52}
      maxHeight={560}
      onEnd={onEnd}
    >
      {(file) => (
        <>
          <Table.Td>
            <Name file={file} />
          </Table.Td>
          <Table.Td>
            {moving && file.state === "pending" && file.bytes > 0 ? (
              <ProgressBar
                value={file.bytes / Math.max(file.size, 1)}
                label={`Progress of ${lastName(pathOf(file.uri))}`}
              />
            ) : (
              <Badge variant="light" tt="none" color={COLORS[file.state]}>
                {file.state === "pending" ? "to come" : file.state}
              </Badge>
            )}
          </Table.Td>
          <Table.Td ta="right" visibleFrom="sm">
            <Bytes value={file.size} />
          </Table.Td>
        </>
      )}
    </VirtualTable>
  );
}

/** The file's name, which leads to the media that it became, its folder, and why it failed. */
function Name({ file }: { file: TransferFile }) {
  const path = pathOf(file.uri);
  const name = lastName(path);
  return (
    <>
      {file.media_id === null ? (
        <Text size="sm" truncate title={path}>
          {name}
        </Text>
      ) : (
        <LinkAnchor
          to="/library/$id"
          params={{ id: file.media_id }}
          size="sm"
          display="block"
          truncate
          title={path}
        >
          {name}
        </LinkAnchor>
      )}
      <Text size="xs" c="dimmed" truncate>
        {path.slice(0, -name.length)}
      </Text>
      {file.error !== null && (
        <Danger size="xs" style={{ overflowWrap: "anywhere" }}>
          {file.error}
        </Danger>
      )}
    </>
  );
}
