import { Button, Group, Paper, Progress, Stack, Text, VisuallyHidden } from "@mantine/core";
import { modals } from "@mantine/modals";
import {
  IconChecks,
  IconPlayerPause,
  IconPlayerPlay,
  IconReload,
  IconTrash,
} from "@tabler/icons-react";
import { countOf, formatBytes, formatPercent, formatRate } from "~/ui/format";
import type { Totals, UploadState } from "~/uploads/types";
import { uploads } from "~/uploads/use-uploads";
import { formatWait } from "./format-wait";
import classes from "./upload.module.css";

const UNDER_WAY: UploadState[] = ["waiting", "uploading", "interrupted"];
const UNFINISHED: UploadState[] = [...UNDER_WAY, "paused", "lost", "failed"];

/** How far all uploads are together, and what can be done with all of them. */
export function Summary({ totals }: { totals: Totals }) {
  const { bytes, sent, rate, secondsLeft } = totals;
  const ratio = bytes === 0 ? Number(totals.states.finished === totals.files) : sent / bytes;
  const details = [
    `${formatBytes(sent)} of ${formatBytes(bytes)}`,
    rate > 0 && formatRate(rate),
    secondsLeft !== null && `${formatWait(secondsLeft)} left`,
  ].filter(Boolean);
  return (
    <Paper withBorder p="md">
      <Stack gap="xs">
        <Group justify="space-between" gap="xs">
          <Text fw={600}>{headline(totals)}</Text>
          <Text size="sm" c="dimmed">
            {details.join(" · ")}
          </Text>
        </Group>
        <Group gap="xs" wrap="nowrap">
          <Progress
            flex={1}
            size="lg"
            value={ratio * 100}
            color={color(totals)}
            animated={totals.states.uploading > 0}
            aria-label="Progress of all uploads"
          />
          <Text size="sm" w={52} ta="right" className={classes.nowrap}>
            {formatPercent(ratio)}
          </Text>
        </Group>
        <Actions states={totals.states} />
        <VisuallyHidden role="status">{isSettled(totals) ? headline(totals) : ""}</VisuallyHidden>
      </Stack>
    </Paper>
  );
}

function Actions({ states }: Pick<Totals, "states">) {
  const count = (of: UploadState[]) => of.reduce((sum, state) => sum + states[state], 0);
  const actions = [
    {
      label: "Pause all",
      icon: IconPlayerPause,
      of: UNDER_WAY,
      act: () => uploads.each(UNDER_WAY, (queue, id) => queue.pause(id)),
    },
    {
      label: "Resume all",
      icon: IconPlayerPlay,
      of: ["paused"] as UploadState[],
      act: () => uploads.each(["paused"], (queue, id) => queue.resume(id)),
    },
    {
      label: "Retry failed",
      icon: IconReload,
      of: ["failed"] as UploadState[],
      act: () => uploads.each(["failed"], (queue, id) => queue.resume(id)),
    },
    {
      label: "Clear finished",
      icon: IconChecks,
      of: ["finished"] as UploadState[],
      act: () => uploads.each(["finished"], (queue, id) => queue.remove(id)),
    },
    {
      label: "Remove unfinished",
      icon: IconTrash,
      of: UNFINISHED,
      act: () => askToRemove(count(UNFINISHED)),
    },
  ];
  return (
    <Group gap="xs">
      {actions
        .filter(({ of }) => count(of) > 0)
        .map(({ label, icon: Icon, act }) => (
          <Button
            key={label}
            size="xs"
            variant="default"
            leftSection={<Icon size={15} aria-hidden />}
            onClick={act}
          >
            {label}
          </Button>
        ))}
    </Group>
  );
}

function askToRemove(unfinished: number): void {
  modals.openConfirmModal({
    title: `Remove ${countOf(unfinished, "unfinished upload")}?`,
    children: <Text size="sm">The service forgets what has arrived of them.</Text>,
    labels: { confirm: "Remove unfinished", cancel: "Keep them" },
    confirmProps: { color: "red" },
    onConfirm: () => uploads.each(UNFINISHED, (queue, id) => queue.remove(id)),
  });
}

function isSettled({ states }: Totals): boolean {
  return UNDER_WAY.every((state) => states[state] === 0);
}

function headline(totals: Totals): string {
  const { states, files } = totals;
  if (states.finished === files) return `${countOf(files, "file")} uploaded`;
  const finished = `${states.finished} of ${countOf(files, "file")} finished`;
  if (!isSettled(totals)) {
    if (states.uploading === 0 && states.interrupted > 0) return "Waiting for the connection";
    return `Uploading: ${finished}${states.failed > 0 ? `, ${states.failed} failed` : ""}`;
  }
  const rest = [
    states.failed > 0 && `${states.failed} failed`,
    states.paused > 0 && `${states.paused} paused`,
    states.lost > 0 && `${states.lost} interrupted`,
  ].filter(Boolean);
  return `${finished}, ${rest.join(", ")}`;
}

function color(totals: Totals): string {
  const { states, files } = totals;
  if (states.finished === files) return "teal";
  if (isSettled(totals)) return states.failed > 0 ? "red" : "yellow";
  return states.uploading === 0 && states.interrupted > 0 ? "orange" : "blue";
}
