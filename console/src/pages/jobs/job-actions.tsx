import { Button, Text } from "@mantine/core";
import { modals } from "@mantine/modals";
import { notifications } from "@mantine/notifications";
import { IconTrash } from "@tabler/icons-react";
import { useNavigate } from "@tanstack/react-router";
import type { Job } from "~/api/jobs";
import { tellFailure } from "~/ui/tell-failure";
import { jobTitle } from "./about-job";
import { useDeleteJob } from "./queries";
import { signalsFor } from "./signals";
import { useSteering } from "./steering";

/** What can be done with a job in the status that it has. */
export function JobActions({ job }: { job: Job }) {
  const { steer, isPending } = useSteering();
  const { mutate } = useDeleteJob();
  const navigate = useNavigate();

  const remove = () =>
    mutate(job.id, {
      onSuccess: () => {
        notifications.show({ message: `${jobTitle(job)} was deleted.` });
        navigate({ to: "/jobs" });
      },
      onError: tellFailure,
    });

  const ask = () =>
    modals.openConfirmModal({
      title: "Delete this job?",
      children: (
        <Text size="sm">
          Its history goes with it. What it has stored stays. A job that runs is stopped first.
        </Text>
      ),
      labels: { confirm: "Delete the job", cancel: "Go back" },
      confirmProps: { color: "red" },
      onConfirm: remove,
    });

  return (
    <>
      {signalsFor(job.status).map(({ signal, label, icon: Icon, color }) => (
        <Button
          key={signal}
          variant="light"
          color={color}
          leftSection={<Icon size={16} aria-hidden />}
          disabled={isPending}
          onClick={() => steer(job, signal)}
        >
          {label}
        </Button>
      ))}
      <Button
        variant="subtle"
        color="red"
        leftSection={<IconTrash size={16} aria-hidden />}
        onClick={ask}
      >
        Delete
      </Button>
    </>
  );
}
