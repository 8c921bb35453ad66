/** Numbers, sizes and times as people read them. */

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const NUMBER = new Intl.NumberFormat(undefined);

/** Return a size in bytes with a unit: `1.4 GiB`. */
export function formatBytes(bytes: number): string {
  const power = Math.min(
    Math.max(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), 0),
    UNITS.length - 1,
  );
  const value = bytes / 2 ** (10 * power);
  const digits = power === 0 || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[power]}`;
}

/** Return bytes per second with a unit. */
export function formatRate(bytesPerSecond: number): string {
  return `${formatBytes(bytesPerSecond)}/s`;
}

export function formatCount(count: number): string {
  return NUMBER.format(count);
}

/** Return how many of something there are: `1 file`, `1,204 files`. */
export function countOf(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** Return a ratio from 0 to 1 as percent, never 100 before it is whole. */
export function formatPercent(ratio: number): string {
  const percent = ratio >= 1 ? 100 : Math.min(Math.floor(ratio * 100), 99);
  return `${percent} %`;
}

/** Return a length of time in seconds as a clock shows it: `1:04:09`. */
export function formatClock(seconds: number): string {
  const whole = Math.max(Math.round(seconds), 0);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const [hours = 0, minutes = 0, rest = 0] = parts;
  const tail = `${String(rest).padStart(2, "0")}`;
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}

/** Return a length of time in seconds in words: `3 min 12 s`. */
export function formatDuration(seconds: number): string {
  if (seconds < 1) return `${Math.max(Math.round(seconds * 1000), 0)} ms`;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${Math.floor(whole / 60) % 60} min`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor(whole / 3600) % 24} h`;
}

const EXACT = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const SHORT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
];

export function formatExactTime(time: Date): string {
  return EXACT.format(time);
}

/** Return a time as people say it: within a week how long ago, else the local date. */
export function formatTime(time: Date, now: Date): string {
  const seconds = (time.getTime() - now.getTime()) / 1000;
  const distance = Math.abs(seconds);
  if (distance > 7 * 86_400) return SHORT.format(time);
  if (distance < 45) return seconds <= 5 ? "just now" : "in a moment";
  for (const [unit, length] of STEPS) {
    if (distance >= length) return RELATIVE.format(Math.round(seconds / length), unit);
  }
  return RELATIVE.format(Math.sign(seconds), "minute");
}
