import { Badge, Table, Text } from "@mantine/core";
import type { Action, Operation, OperationState } from "~/api/sync";
import { Danger } from "~/ui/danger";
import { Bytes } from "~/ui/values";
import { type Column, VirtualTable } from "~/ui/virtual-table";

const PLANNED: Column[] = [
  { name: "Kind", width: 104 },
  { name: "Object" },
  { name: "Size", width: 96, align: "right", phone: false },
];
const RUN: Column[] = [...PLANNED, { name: "State", width: 92 }];

const ACTION_WORDS: Record<Action, { word: string; color: string }> = {
  delete: { word: "delete", color: "red" },
  update: { word: "overwrite", color: "orange" },
  upload: { word: "upload", color: "blue" },
  copy: { word: "copy", color: "grape" },
};
const STATE_WORDS: Record<OperationState, { word: string; color: string }> = {
  pending: { word: "to do", color: "gray" },
  done: { word: "done", color: "teal" },
  failed: { word: "failed", color: "red" },
  skipped: { word: "skipped", color: "yellow" },
};

interface Props {
  operations: Operation[];
  /** Only planned: there is no state to tell. */
  planned: boolean;
  onEnd: () => void;
}

export function OperationRows({ operations, planned, onEnd }: Props) {
  return (
    <VirtualTable
      label="Operations of the sync"
      columns={planned ? PLANNED : RUN}
      rows={operations}
      keyOf={({ action, key }) => `${action} ${key}`}
      rowHeight={38}
      maxHeight={560}
      onEnd={onEnd}
    >
      {(operation) => (
        <>
          <Table.Td>
            <Badge variant="light" tt="none" color={ACTION_WORDS[operation.action].color}>
              {ACTION_WORDS[operation.action].word}
            </Badge>
          </Table.Td>
          <Table.Td>
            <Key operation={operation} />
          </Table.Td>
          <Table.Td ta="right" visibleFrom="sm">
            <Bytes value={operation.size} size="sm" />
          </Table.Td>
          {!planned && (
            <Table.Td>
              <Badge variant="light" tt="none" color={STATE_WORDS[operation.state].color}>
                {STATE_WORDS[operation.state].word}
              </Badge>
            </Table.Td>
          )}
        </>
      )}
    </VirtualTable>
  );
}

function Key({ operation: { action, key, copy_from: from, error } }: { operation: Operation }) {
  const Shown = action === "delete" ? Danger : Text;
  return (
    <>
      <Shown size="sm" style={{ overflowWrap: "anywhere" }}>
        {key}
      </Shown>
      {from !== null && (
        <Text size="xs" c="dimmed" truncate>
          from {from}
        </Text>
      )}
      {error !== null && (
        <Danger size="xs" style={{ overflowWrap: "anywhere" }}>
          {error}
        </Danger>
      )}
    </>
  );
}
