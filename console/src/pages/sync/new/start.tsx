import { Alert, Button, Checkbox, Group, Stack, Text } from "@mantine/core";
import { modals } from "@mantine/modals";
import { IconAlertTriangle, IconPlayerPlay } from "@tabler/icons-react";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import type { Plan, SyncRequest } from "~/api/sync";
import { useStartSync } from "~/pages/sync/queries";
import { countOf } from "~/ui/format";
import { ErrorState } from "~/ui/states";

interface Props {
  /** The dry run that made the plan. */
  planned: number;
  request: SyncRequest;
  plan: Plan;
  /** Why the service would refuse the plan unless it is forced; null when it would not. */
  refusal: string | null;
}

/** The start of a sync whose plan was seen; deletions are asked for once more. */
export function Start({ planned, request, plan, refusal }: Props) {
  const navigate = useNavigate();
  const [forced, setForced] = useState(false);
  const start = useStartSync(planned);
  const deletions = countOf(plan.delete.files, "object");

  const go = () =>
    start.mutate(
      { ...request, force: refusal !== null && forced },
      {
        onSuccess: ({ id }) => void navigate({ to: "/sync/$id", params: { id: String(id) } }),
      },
    );
  const ask = () =>
    modals.openConfirmModal({
      title: `Delete ${deletions}?`,
      children: (
        <Text size="sm">
          {deletions} will be deleted from the bucket {request.dest}
          {request.backup_prefix === ""
            ? ". They are not kept anywhere."
            : `, and kept below ${request.backup_prefix}.`}
        </Text>
      ),
      labels: { confirm: "Start and delete", cancel: "Not now" },
      confirmProps: { color: "red" },
      onConfirm: go,
    });

  return (
    <Stack gap="sm">
      {refusal !== null && (
        <Alert
          color="red"
          icon={<IconAlertTriangle aria-hidden />}
          title="The service refuses to delete so much unless you insist"
        >
          <Stack gap="xs">
            {refusal}
            <Checkbox
              color="red"
              label={`I have looked at the plan: delete ${deletions} all the same`}
              checked={forced}
              onChange={(event) => setForced(event.currentTarget.checked)}
            />
          </Stack>
        </Alert>
      )}
      {start.isError && <ErrorState error={start.error} />}
      <Group justify="flex-end">
        <Button
          color={plan.delete.files > 0 ? "red" : undefined}
          leftSection={<IconPlayerPlay size={18} aria-hidden />}
          disabled={refusal !== null && !forced}
          loading={start.isPending}
          onClick={plan.delete.files > 0 ? ask : go}
        >
          Start the sync
        </Button>
      </Group>
    </Stack>
  );
}
