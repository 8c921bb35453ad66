import { Group, Paper, Select, Stack, Text, TextInput, Title } from "@mantine/core";
import { IconSearch } from "@tabler/icons-react";
import { useCallback, useEffect, useState } from "react";
import type { Action, OperationState, Plan, Sync } from "~/api/sync";
import { OperationRows } from "~/pages/sync/plan/operation-rows";
import { useOperations } from "~/pages/sync/queries";
import { countOf, formatCount } from "~/ui/format";
import { Loading } from "~/ui/loading";
import { ErrorState } from "~/ui/states";

/** The order in which they are listed: what cannot be undone comes first. */
const ACTIONS: Action[] = ["delete", "update", "upload", "copy"];
const ACTION_CHOICES = [
  { value: "", label: "All operations" },
  { value: "delete", label: "Deletions" },
  { value: "update", label: "Overwritten" },
  { value: "upload", label: "Uploads" },
  { value: "copy", label: "Copies" },
];
const STATE_CHOICES = [
  { value: "", label: "In any state" },
  { value: "pending", label: "Still to do" },
  { value: "done", label: "Done" },
  { value: "failed", label: "Failed" },
  { value: "skipped", label: "Skipped" },
];

/** What a sync does to each object, the deletions first. */
export function Operations({ sync, plan }: { sync: Sync; plan: Plan }) {
  const [action, setAction] = useState("");
  const [state, setState] = useState("");
  const [wanted, setWanted] = useState("");
  const actions = ACTIONS.filter((one) => plan[one].files > 0 && (action === "" || one === action));
  return (
    <Paper withBorder p="md">
      <Stack gap="sm">
        <Group justify="space-between" gap="sm">
          <Title order={2} size="h5">
            {sync.dry_run ? "What would be done" : "Operations"}
          </Title>
          <Group gap="xs">
            <Choice label="Kind" data={ACTION_CHOICES} value={action} onChange={setAction} />
            {!sync.dry_run && (
              <Choice label="State" data={STATE_CHOICES} value={state} onChange={setState} />
            )}
            <TextInput
              size="xs"
              aria-label="Find an object"
              placeholder="Find an object"
              leftSection={<IconSearch size={14} aria-hidden />}
              value={wanted}
              onChange={(event) => setWanted(event.currentTarget.value)}
            />
          </Group>
        </Group>
        {actions.length === 0 ? (
          <Nothing>There is nothing of this to do.</Nothing>
        ) : (
          <Found
            sync={sync}
            actions={actions}
            state={state as OperationState | ""}
            {...{ wanted }}
          />
        )}
      </Stack>
    </Paper>
  );
}

interface FoundProps {
  sync: Sync;
  actions: Action[];
  state: OperationState | "";
  wanted: string;
}

function Found({ sync, actions, state, wanted }: FoundProps) {
  const { operations, hasNextPage, isFetching, fetchNextPage, ...found } = useOperations(
    sync.id,
    actions,
    state,
  );
  const more = useCallback(() => {
    if (hasNextPage && !isFetching) void fetchNextPage();
  }, [hasNextPage, isFetching, fetchNextPage]);
  // The door knows no names: what is looked for may be on any page. A page can be empty, too.
  useEffect(() => {
    if (wanted !== "" || operations.length === 0) more();
  }, [wanted, operations.length, more]);

  if (found.isPending || (operations.length === 0 && hasNextPage)) {
    return <Loading rows={4} height={36} />;
  }
  if (found.isError) {
    return <ErrorState error={found.error} retry={() => void found.refetch()} />;
  }
  if (operations.length === 0 && state === "") {
    return <Nothing>Only the operations of a bucket's latest sync are kept.</Nothing>;
  }
  const matching = operations.filter(({ key }) => key.toLowerCase().includes(wanted.toLowerCase()));
  if (matching.length === 0) return <Nothing>No operation is like that.</Nothing>;
  return (
    <>
      <OperationRows operations={matching} planned={sync.dry_run} onEnd={more} />
      {wanted !== "" && (
        <Text size="xs" c="dimmed" role="status">
          {countOf(matching.length, "operation")} among {formatCount(operations.length)} looked at
          {hasNextPage && "; looking on…"}
        </Text>
      )}
    </>
  );
}

interface ChoiceProps {
  label: string;
  data: { value: string; label: string }[];
  value: string;
  onChange: (value: string) => void;
}

function Choice({ label, onChange, ...props }: ChoiceProps) {
  return (
    <Select
      size="xs"
      w={150}
      aria-label={label}
      allowDeselect={false}
      onChange={(chosen) => onChange(chosen ?? "")}
      {...props}
    />
  );
}

function Nothing({ children }: { children: string }) {
  return (
    <Text c="dimmed" ta="center" py="lg" size="sm">
      {children}
    </Text>
  );
}
