import { Button, Text, Timeline } from "@mantine/core";
import {
  type Icon,
  IconArrowBackUp,
  IconCheck,
  IconHandStop,
  IconPlayerPause,
  IconPlayerPlay,
  IconPlus,
  IconReload,
  IconTransfer,
  IconX,
} from "@tabler/icons-react";
import { useState } from "react";
import { formatCount, formatDuration } from "~/ui/format";
import { Time } from "~/ui/values";
import { reasonOf } from "./attempts";
import type { JobEvent } from "./history";

const SHOWN = 40;

const LOOKS: Record<string, { icon: Icon; color: string; title: string }> = {
  enqueued: { icon: IconPlus, color: "gray.6", title: "Asked for" },
  started: { icon: IconPlayerPlay, color: "blue", title: "Started" },
  signalled: { icon: IconHandStop, color: "yellow", title: "Signalled" },
  retrying: { icon: IconReload, color: "orange", title: "Failed, will be tried again" },
  paused: { icon: IconPlayerPause, color: "yellow", title: "Paused" },
  resumed: { icon: IconPlayerPlay, color: "blue", title: "Resumed" },
  cancelled: { icon: IconX, color: "gray.6", title: "Cancelled" },
  completed: { icon: IconCheck, color: "teal", title: "Completed" },
  errored: { icon: IconX, color: "red", title: "Failed" },
  taken_over: { icon: IconTransfer, color: "orange", title: "Taken over from a lost worker" },
  handed_back: { icon: IconArrowBackUp, color: "gray.6", title: "Handed back by its worker" },
};

/** What happened to a job, from its beginning on. */
export function JobTimeline({ events }: { events: JobEvent[] }) {
  const [all, setAll] = useState(false);
  const shown = all ? events : events.slice(-SHOWN);
  const hidden = events.length - shown.length;
  return (
    <>
      {hidden > 0 && (
        <Button variant="subtle" size="xs" mb="sm" onClick={() => setAll(true)}>
          Show {formatCount(hidden)} earlier
        </Button>
      )}
      <Timeline bulletSize={26} lineWidth={2} active={shown.length}>
        {shown.map((event) => {
          const {
            icon: Shown,
            color,
            title,
          } = LOOKS[event.kind] ?? {
            icon: IconPlus,
            color: "gray.6",
            title: event.kind,
          };
          return (
            <Timeline.Item
              key={event.id}
              color={color}
              bullet={<Shown size={14} aria-hidden />}
              title={title}
            >
              <Text size="sm">{explain(event)}</Text>
              <Text size="xs" c="dimmed">
                <Time value={event.at} /> · by {event.actor}
              </Text>
            </Timeline.Item>
          );
        })}
      </Timeline>
    </>
  );
}

function explain(event: JobEvent): string | null {
  const { kind, detail } = event;
  if (kind === "signalled") return `It was asked to ${detail.signal}.`;
  if (kind === "started" && Number(detail.epoch) > 1) return `Start number ${detail.epoch}.`;
  if (kind === "retrying") {
    return `${reasonOf(event)} Tried again after ${formatDuration(Number(detail.delay))}.`;
  }
  return reasonOf(event);
}
