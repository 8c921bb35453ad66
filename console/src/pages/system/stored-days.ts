import type { Stored } from "~/api/system";

const DAY_MILLISECONDS = 86_400_000;

/** What can be counted of medias. */
export type Measure = "bytes" | "count";

export interface Day {
  day: string;
  amounts: Record<string, { count: number; bytes: number }>;
}

/** Return each of the last `days` (UTC), also those on which nothing came, earliest first. */
export function lastDays(stored: Stored, days: number, now = Date.now()): Day[] {
  const found = new Map<string, Day>();
  for (let before = days - 1; before >= 0; before -= 1) {
    const day = new Date(now - before * DAY_MILLISECONDS).toISOString().slice(0, 10);
    found.set(day, { day, amounts: {} });
  }
  for (const { day, kind, count, bytes } of stored.by_day) {
    const at = found.get(day);
    if (at !== undefined) at.amounts[kind] = { count, bytes };
  }
  return [...found.values()];
}
