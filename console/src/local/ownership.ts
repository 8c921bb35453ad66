import { randomId } from "~/local/random";

/**
 * Which window works on what this browser keeps.
 *
 * Each window holds a lock of its own name for as long as it lives (Web Locks). What a window left
 * behind is taken over by another one once its lock is free: by the same one after a reload, by
 * one that is still open after another was closed.
 */
export const thisWindow = randomId();

const lock = (owner: string) => `mediatheque-${owner}`;

/** Resolves when this window has its lock: before that it may keep nothing. */
export const owning: Promise<void> = new Promise((resolve) => {
  // Without a secure context there are no locks, and every window takes over everything.
  if (navigator.locks === undefined) resolve();
  void navigator.locks?.request(lock(thisWindow), () => {
    resolve();
    return new Promise(() => {});
  });
});

/** Call `adopt` with each owner once its window is gone, which may be much later. */
export function takeOver(owners: Iterable<string>, adopt: (owner: string) => Promise<void>): void {
  for (const owner of new Set(owners)) {
    if (owner === thisWindow) continue;
    if (navigator.locks === undefined) void adopt(owner);
    else void navigator.locks.request(lock(owner), () => adopt(owner));
  }
}
