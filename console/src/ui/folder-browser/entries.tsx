import { Anchor, Group, Table, Text, Tooltip } from "@mantine/core";
import { IconFile, IconFolder, IconFolderFilled } from "@tabler/icons-react";
import type { ReactNode } from "react";
import type { FolderEntry } from "~/api/folders";
import { Bytes, Time } from "~/ui/values";
import { type Column, VirtualTable } from "~/ui/virtual-table";

const COLUMNS: Column[] = [
  { name: "Name" },
  { name: "Size", width: 96, align: "right" },
  { name: "Changed", width: 140, phone: false },
];
const CHOICE: Column = { name: "Choose", width: 80 };

interface Props {
  entries: FolderEntry[];
  onOpen: (path: string) => void;
  choice?: (entry: FolderEntry) => ReactNode;
  maxHeight: number;
}

/** The entries of one folder; folders open with a click on their names. */
export function Entries({ entries, onOpen, choice, maxHeight }: Props) {
  return (
    <VirtualTable
      label="Folders and files"
      columns={choice === undefined ? COLUMNS : [CHOICE, ...COLUMNS]}
      rows={entries}
      keyOf={(entry) => `${entry.kind}/${entry.path ?? entry.name}`}
      rowHeight={37}
      maxHeight={maxHeight}
    >
      {(entry) => (
        <>
          {choice !== undefined && <Table.Td>{choice(entry)}</Table.Td>}
          <Table.Td>
            <Group gap="xs" wrap="nowrap">
              <KindIcon entry={entry} />
              <Name entry={entry} onOpen={onOpen} />
            </Group>
          </Table.Td>
          <Table.Td ta="right">
            {entry.kind === "file" && <Bytes value={entry.size} size="sm" />}
          </Table.Td>
          <Table.Td visibleFrom="sm">
            <Time value={entry.modified} size="sm" c="dimmed" />
          </Table.Td>
        </>
      )}
    </VirtualTable>
  );
}

const ICON = { size: 18, style: { flexShrink: 0 }, "aria-hidden": true } as const;

function KindIcon({ entry }: { entry: FolderEntry }) {
  if (entry.kind === "file") {
    return <IconFile {...ICON} stroke={1.5} color="var(--mantine-color-dimmed)" />;
  }
  const Shown = entry.path === null ? IconFolder : IconFolderFilled;
  return <Shown {...ICON} color="var(--mantine-color-blue-5)" />;
}

function Name({ entry, onOpen }: { entry: FolderEntry; onOpen: (path: string) => void }) {
  const { name, path, kind } = entry;
  if (path === null) {
    return (
      <Tooltip label="Its name is no UTF-8: choose the folder that it is in.">
        <Text size="sm" c="dimmed" truncate>
          {name}
        </Text>
      </Tooltip>
    );
  }
  if (kind === "file") {
    return (
      <Text size="sm" truncate title={name}>
        {name}
      </Text>
    );
  }
  return (
    <Anchor
      component="button"
      type="button"
      size="sm"
      truncate
      title={name}
      onClick={() => onOpen(path)}
    >
      {name}
    </Anchor>
  );
}
