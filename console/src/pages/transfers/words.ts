import { lastName, pathOf } from "~/api/folders";
import type { Transfer } from "~/api/transfers";

/** Return what is transferred, in a few words: `2026 and 3 more`. */
export function titleOf({ sources }: Transfer): string {
  const [first = "", ...others] = sources;
  const name = lastName(pathOf(first).replace(/\/$/, ""));
  return others.length === 0 ? name : `${name} and ${others.length} more`;
}

/** Tell whether something may still happen without anybody's doing. */
export function isMoving({ status }: Transfer): boolean {
  return status === "running" || status === "pending";
}

/** Return how long a transfer took, or has taken so far, in seconds; null before it began. */
export function secondsTaken(transfer: Transfer, now = Date.now()): number | null {
  if (transfer.started_at === null) return null;
  const end = transfer.finished_at === null ? now : Date.parse(transfer.finished_at);
  return Math.max(end - Date.parse(transfer.started_at), 0) / 1000;
}
