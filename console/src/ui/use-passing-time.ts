import { useSyncExternalStore } from "react";

const TURN_MILLISECONDS = 30_000;

const watchers = new Set<() => void>();
let turning: number | undefined;

/** Return the time, and again every half minute: "just now" does not stay true. */
export function usePassingTime(): Date {
  useSyncExternalStore(watch, () => Math.floor(Date.now() / TURN_MILLISECONDS));
  return new Date();
}

/** One timer tells all who watch: a table has a hundred times in it. */
function watch(watcher: () => void): () => void {
  watchers.add(watcher);
  turning ??= window.setInterval(tell, TURN_MILLISECONDS);
  return () => {
    watchers.delete(watcher);
    if (watchers.size > 0) return;
    window.clearInterval(turning);
    turning = undefined;
  };
}

function tell(): void {
  for (const watcher of watchers) watcher();
}
