import { Box, Skeleton, Text } from "@mantine/core";
import { useElementSize } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { type KeyboardEvent, type PointerEvent, useEffect, useMemo, useState } from "react";
import { ServiceError } from "~/api/errors";
import { mediaKey } from "~/api/media";
import { formatClock } from "~/ui/format";
import classes from "./waveform.module.css";

/** What `waveform.json` holds: seconds, and the loudest moments of equal parts, from 0 to 1. */
interface Loudness {
  duration: number;
  peaks: number[];
}

const BAR_PIXELS = 3;
/** What is shown of silence. */
const QUIETEST = 0.02;
/** A sound that is quiet all the time is shown louder, but not silence. */
const LEAST_FULL = 0.05;
const STEP_SECONDS = 5;
const STEPS: Record<string, number> = {
  ArrowLeft: -STEP_SECONDS,
  ArrowDown: -STEP_SECONDS,
  ArrowRight: STEP_SECONDS,
  ArrowUp: STEP_SECONDS,
  Home: Number.NEGATIVE_INFINITY,
  End: Number.POSITIVE_INFINITY,
};

interface Props {
  url: string;
  element: HTMLMediaElement | null;
  height?: number;
}

/** How loud a media is over its time; `element` plays it, and is moved by a click or by keys. */
export function Waveform({ url, element, height = 96 }: Props) {
  const loudness = useQuery({
    queryKey: [...mediaKey(), "waveform", url],
    queryFn: ({ signal }) => fetchLoudness(url, signal),
  });
  if (loudness.isPending) return <Skeleton height={height} />;
  if (loudness.isError) {
    return (
      <Text size="sm" c="dimmed">
        The waveform could not be loaded.
      </Text>
    );
  }
  return <Seekable loudness={loudness.data} element={element} height={height} />;
}

function Seekable(props: { loudness: Loudness; element: HTMLMediaElement | null; height: number }) {
  const { loudness, element, height } = props;
  const { duration } = loudness;
  const { ref, width } = useElementSize();
  const time = useTime(element);

  const seek = (seconds: number) => {
    if (element !== null) element.currentTime = Math.min(Math.max(seconds, 0), duration);
  };
  const seekByPointer = (event: PointerEvent<HTMLElement>) => {
    if (event.buttons !== 1) return;
    const shown = event.currentTarget.getBoundingClientRect();
    seek(((event.clientX - shown.left) / shown.width) * duration);
  };
  const seekByKey = (event: KeyboardEvent) => {
    const step = STEPS[event.key];
    if (step === undefined) return;
    event.preventDefault();
    seek(time + step);
  };
  return (
    <Box
      ref={ref}
      className={classes.waveform}
      h={height}
      role="slider"
      tabIndex={0}
      aria-label="Waveform"
      aria-valuemin={0}
      aria-valuemax={Math.round(duration)}
      aria-valuenow={Math.round(time)}
      aria-valuetext={`${formatClock(time)} of ${formatClock(duration)}`}
      onPointerDown={seekByPointer}
      onPointerMove={seekByPointer}
      onKeyDown={seekByKey}
    >
      <Bars
        peaks={loudness.peaks}
        count={Math.max(Math.floor(width / BAR_PIXELS), 1)}
        played={duration > 0 ? Math.min(time / duration, 1) : 0}
      />
    </Box>
  );
}

/** The peaks as at most `count` bars, of which a share of `played` is in colour. */
function Bars({ peaks, count, played }: { peaks: number[]; count: number; played: number }) {
  const length = Math.min(count, peaks.length);
  const path = useMemo(() => drawBars(peaks, length), [peaks, length]);
  return (
    <svg viewBox={`0 -1 ${length} 2`} preserveAspectRatio="none" aria-hidden="true">
      <path className={classes.rest} d={path} />
      <path
        className={classes.played}
        d={path}
        style={{ clipPath: `inset(0 ${100 * (1 - played)}% 0 0)` }}
      />
    </svg>
  );
}

async function fetchLoudness(url: string, signal: AbortSignal): Promise<Loudness> {
  const response = await fetch(url, { signal });
  if (!response.ok) throw new ServiceError(response, null);
  const found = (await response.json()) as Partial<Loudness>;
  // Clients may put files of this name beside their medias.
  if (!Array.isArray(found.peaks) || typeof found.duration !== "number") {
    throw new TypeError(`${url} holds no waveform.`);
  }
  return { duration: found.duration, peaks: found.peaks };
}

/** Where an element is, in seconds, as it goes on. */
function useTime(element: HTMLMediaElement | null): number {
  const [time, setTime] = useState(0);
  useEffect(() => {
    if (element === null) return;
    let frame = 0;
    const look = () => {
      setTime(element.currentTime);
      if (!element.paused && !element.ended) frame = requestAnimationFrame(look);
    };
    const events = ["playing", "pause", "seeking", "ended", "loadedmetadata"];
    const begin = () => {
      cancelAnimationFrame(frame);
      look();
    };
    for (const event of events) element.addEventListener(event, begin);
    return () => {
      cancelAnimationFrame(frame);
      for (const event of events) element.removeEventListener(event, begin);
    };
  }, [element]);
  return time;
}

/** Return the outline of bars that are one wide each, the loudest reaching from -1 to 1. */
function drawBars(peaks: number[], length: number): string {
  const full = Math.max(...peaks, LEAST_FULL);
  let path = "";
  for (let bar = 0; bar < length; bar++) {
    const begin = Math.floor((bar * peaks.length) / length);
    const end = Math.floor(((bar + 1) * peaks.length) / length);
    const peak = Math.max(Math.max(...peaks.slice(begin, end)) / full, QUIETEST);
    path += `M${bar + 0.15} ${-peak}h.7v${2 * peak}h-.7z`;
  }
  return path;
}
