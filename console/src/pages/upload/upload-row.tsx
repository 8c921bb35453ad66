import { ActionIcon, Anchor, Group, Progress, Text, Tooltip } from "@mantine/core";
import {
  type Icon,
  IconCircleCheck,
  IconFile,
  IconMovie,
  IconMusic,
  IconPhoto,
  IconPlayerPause,
  IconPlayerPlay,
  IconReload,
  IconX,
} from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { memo } from "react";
import { formatBytes, formatRate } from "~/ui/format";
import { isUnderWay } from "~/uploads/totals";
import type { UploadItem, UploadState } from "~/uploads/types";
import { uploads } from "~/uploads/use-uploads";
import { formatWait } from "./format-wait";
import classes from "./upload.module.css";

const COLORS: Record<UploadState, string> = {
  waiting: "gray",
  uploading: "blue",
  interrupted: "orange",
  paused: "yellow",
  lost: "orange",
  failed: "red",
  finished: "teal",
};
const ICONS: Record<string, Icon> = { video: IconMovie, audio: IconMusic, image: IconPhoto };

/** One file of the queue: how far it is, and what can be done with it. */
export const UploadRow = memo(function UploadRow({ item }: { item: UploadItem }) {
  const { name, folder, state, size, sent } = item;
  const Kind = ICONS[item.type.split("/")[0] ?? ""] ?? IconFile;
  return (
    <>
      {state === "finished" ? (
        <IconCircleCheck size={24} stroke={1.5} color="var(--mantine-color-teal-6)" aria-hidden />
      ) : (
        <Kind size={24} stroke={1.5} color="var(--mantine-color-dimmed)" aria-hidden />
      )}
      <div className={classes.about}>
        <Group gap={6} wrap="nowrap">
          <Name item={item} />
          {folder !== "" && (
            <Text size="sm" c="dimmed" truncate flex={1} miw={40} title={folder}>
              {folder}
            </Text>
          )}
        </Group>
        {state !== "finished" && (
          <Progress
            my={3}
            size="sm"
            value={size === 0 ? 0 : (sent / size) * 100}
            color={COLORS[state]}
            aria-label={`Progress of ${name}`}
          />
        )}
        <Text
          size="xs"
          c={state === "failed" ? undefined : "dimmed"}
          className={state === "failed" ? classes.failed : undefined}
          truncate
        >
          {standing(item)}
        </Text>
      </div>
      <Actions item={item} />
    </>
  );
});

function Name({ item }: { item: UploadItem }) {
  const { name, state, url } = item;
  const media = url?.split("/").at(-1);
  if (state !== "finished" || media === undefined) {
    return (
      <Text size="sm" fw={500} truncate title={name}>
        {name}
      </Text>
    );
  }
  return (
    <Anchor
      renderRoot={(root) => <Link to="/library/$id" params={{ id: media }} {...root} />}
      size="sm"
      fw={500}
      truncate
      title={name}
    >
      {name}
    </Anchor>
  );
}

function Actions({ item: { id, name, state } }: { item: UploadItem }) {
  return (
    <Group gap={2} wrap="nowrap">
      {isUnderWay(state) && (
        <Action label={`Pause ${name}`} icon={IconPlayerPause} act={() => uploads.pause(id)} />
      )}
      {state === "paused" && (
        <Action label={`Resume ${name}`} icon={IconPlayerPlay} act={() => uploads.resume(id)} />
      )}
      {state === "failed" && (
        <Action label={`Retry ${name}`} icon={IconReload} act={() => uploads.resume(id)} />
      )}
      <Action
        label={state === "finished" ? `Clear ${name} from the list` : `Remove ${name}`}
        icon={IconX}
        act={() => uploads.remove(id)}
      />
    </Group>
  );
}

function Action({ label, icon: Shown, act }: { label: string; icon: Icon; act: () => void }) {
  return (
    <Tooltip label={label} openDelay={500} withArrow>
      <ActionIcon variant="subtle" color="gray" size="lg" aria-label={label} onClick={act}>
        <Shown size={18} aria-hidden />
      </ActionIcon>
    </Tooltip>
  );
}

/** Return where an upload stands, in words. */
function standing(item: UploadItem): string {
  const { state, size, sent, rate, error, hasHandle } = item;
  const amount = `${formatBytes(sent)} of ${formatBytes(size)}`;
  switch (state) {
    case "waiting":
      return `Waiting · ${formatBytes(size)}`;
    case "uploading": {
      if (sent === size) return "The service is putting it away";
      const left =
        rate > 0 ? ` · ${formatRate(rate)} · ${formatWait((size - sent) / rate)} left` : "";
      return `${amount}${left}`;
    }
    case "interrupted":
      return `${error} It goes on by itself.`;
    case "paused":
      return `Paused · ${amount}`;
    case "lost":
      return hasHandle
        ? `Waits for your permission to read the file · ${amount}`
        : `Choose the same file again to go on · ${amount}`;
    case "failed":
      return error ?? "It failed.";
    case "finished":
      return `${formatBytes(size)} · in the library`;
  }
}
