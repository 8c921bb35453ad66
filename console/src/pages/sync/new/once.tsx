import { Button, Group, Stack } from "@mantine/core";
import { IconListSearch } from "@tabler/icons-react";
import { useState } from "react";
import type { SyncRequest } from "~/api/sync";
import { Planned } from "~/pages/sync/new/planned";
import { usePlanning } from "~/pages/sync/queries";
import { LinkButton } from "~/ui/links";
import { ErrorState } from "~/ui/states";

/** First the plan, then the start; a plan of another request than this one is out of date. */
export function Once({ request }: { request: SyncRequest }) {
  const [planned, setPlanned] = useState<{ id: number; request: SyncRequest } | null>(null);
  const planning = usePlanning();
  const look = () =>
    planning.mutate(request, { onSuccess: ({ id }) => setPlanned({ id, request }) });
  const current = planned?.request === request;
  return (
    <Stack>
      {planning.isError && <ErrorState error={planning.error} />}
      {!current && (
        <Group justify="flex-end">
          <LinkButton variant="default" to="/sync">
            Back
          </LinkButton>
          <Button
            leftSection={<IconListSearch size={18} aria-hidden />}
            disabled={request.dest === ""}
            loading={planning.isPending}
            onClick={look}
          >
            {planned === null ? "See the plan" : "See the plan as it is now"}
          </Button>
        </Group>
      )}
      {planned !== null && current && <Planned id={planned.id} request={request} />}
    </Stack>
  );
}
