import { formatDuration } from "~/ui/format";

/** Return how long something will still take, in seconds, no finer than anybody can tell. */
export function formatWait(seconds: number): string {
  return seconds < 10 ? `${Math.max(Math.ceil(seconds), 1)} s` : formatDuration(seconds);
}
