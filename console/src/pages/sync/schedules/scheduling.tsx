import { Button, Group, Paper, Stack, Text, Title } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconCalendarPlus } from "@tabler/icons-react";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import type { SyncRequest } from "~/api/sync";
import { useCreateSchedule } from "~/pages/sync/queries";
import { CronField, FIRST_CRON } from "~/pages/sync/schedules/cron-field";
import { LinkButton } from "~/ui/links";
import { ErrorState } from "~/ui/states";

/** When a request is to be carried out, again and again. */
export function Scheduling({ request }: { request: SyncRequest }) {
  const navigate = useNavigate();
  const [cron, setCron] = useState(FIRST_CRON);
  const create = useCreateSchedule();
  const onCreate = () =>
    create.mutate(
      { request, cron },
      {
        onSuccess: () => {
          notifications.show({ color: "teal", message: "The schedule is made." });
          void navigate({ to: "/sync", search: { view: "schedules" } });
        },
      },
    );
  return (
    <Paper withBorder p="md">
      <Stack>
        <Title order={2} size="h4">
          When
        </Title>
        <CronField value={cron} onChange={setCron} />
        <Text size="sm" c="dimmed">
          A sync that nobody watches does not empty a bucket because its folder is missing or empty:
          it ends in an error instead. Keys are kept, encrypted, until the schedule is removed.
        </Text>
        {create.isError && <ErrorState error={create.error} />}
        <Group justify="flex-end">
          <LinkButton variant="default" to="/sync" search={{ view: "schedules" }}>
            Back
          </LinkButton>
          <Button
            leftSection={<IconCalendarPlus size={18} aria-hidden />}
            disabled={request.dest === "" || cron.trim() === ""}
            loading={create.isPending}
            onClick={onCreate}
          >
            Make the schedule
          </Button>
        </Group>
      </Stack>
    </Paper>
  );
}
