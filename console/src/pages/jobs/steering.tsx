import { Text } from "@mantine/core";
import { modals } from "@mantine/modals";
import { notifications } from "@mantine/notifications";
import { useQueryClient } from "@tanstack/react-query";
import { type Job, type JobFilters, type Signal, type Signalled, signalJobs } from "~/api/jobs";
import { countOf } from "~/ui/format";
import { tellFailure } from "~/ui/tell-failure";
import { KEYS, useSignalJob } from "./queries";
import { SIGNALS, type SignalAbout } from "./signals";

const AT_ONCE = 100;

/** Signals to jobs, with what came of them said. */
export function useSteering() {
  const client = useQueryClient();
  const { mutate, isPending } = useSignalJob();

  const steer = (job: Job, signal: Signal) =>
    mutate({ id: job.id, signal }, { onError: tellFailure });

  const steerMany = async (several: JobFilters[], about: SignalAbout) => {
    const done: Signalled = { signalled: 0, refused: 0 };
    try {
      for (const filters of several) {
        const { signalled, refused } = await signalJobs(filters, about.signal);
        done.signalled += signalled;
        done.refused += refused;
      }
      tellSignalled(about, done);
    } catch (error) {
      tellFailure(error);
    }
    await client.invalidateQueries({ queryKey: KEYS.lists });
  };

  return { steer, steerMany, isPending };
}

/** Return the filters for these jobs, some of them each, as addresses must not become too long. */
export function filtersOfIds(ids: string[]): JobFilters[] {
  const starts = Array.from({ length: Math.ceil(ids.length / AT_ONCE) }, (_, at) => at * AT_ONCE);
  return starts.map((start) => ({ id__in: ids.slice(start, start + AT_ONCE).join(",") }));
}

/** Ask before something is done to many jobs. */
export function confirmMany(about: SignalAbout, count: string, onConfirm: () => void): void {
  modals.openConfirmModal({
    title: `${about.label} ${count}?`,
    children: <Text size="sm">{CONSEQUENCES[about.signal]}</Text>,
    labels: { confirm: `${about.label} ${count}`, cancel: "Go back" },
    confirmProps: { color: about.color === "red" ? "red" : undefined },
    onConfirm,
  });
}

const CONSEQUENCES: Record<Signal, string> = {
  cancel: "What they have done so far stays. A job that was cancelled can be retried.",
  pause: "They stop within about a second and keep what they have done.",
  resume: "They go on where they were.",
  retry: "They begin again with all their attempts, and skip what is done already.",
};

function tellSignalled({ signal }: SignalAbout, { signalled, refused }: Signalled): void {
  const label = SIGNALS.find((one) => one.signal === signal)?.label;
  notifications.show({
    color: refused === 0 ? "teal" : "yellow",
    title: `${label}: ${countOf(signalled, "job")} signalled, ${refused} refused`,
    message:
      refused === 0
        ? "Jobs that run stop a moment later."
        : "Those were in a status that does not allow it.",
  });
}
