/** Cron expressions of five fields, in words and made from choices. All times are UTC. */

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];
const WEEKDAYS = "1-5";
const FIELDS = 5;

/**
 * Return what a cron expression means: `Every day at 03:00`, for example.
 *
 * Null for one that is too involved to be said shortly, or that is none.
 */
export function cronInWords(cron: string): string | null {
  const fields = cron.trim().split(/\s+/);
  const [minute = "", hour = "", date = "", month = "", weekday = ""] = fields;
  if (fields.length !== FIELDS) return null;
  const time = timeInWords(minute, hour);
  const days = daysInWords(date, month, weekday);
  if (time === null || days === null) return null;
  const daily = days === "" && time.startsWith("at ") ? "every day" : days;
  const words = time.startsWith("at ")
    ? `${daily} ${time}`
    : [time, daily].filter(Boolean).join(", ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function timeInWords(minute: string, hour: string): string | null {
  const step = /^\*\/(\d+)$/;
  const minutes = numbers(minute, 59);
  const hours = numbers(hour, 23);
  if (hour === "*" && minute === "*") return "every minute";
  if (hour === "*" && step.test(minute)) return `every ${step.exec(minute)?.[1]} minutes`;
  const span = /^(\d{1,2})-(\d{1,2})$/.exec(hour);
  if (span !== null && step.test(minute)) {
    const [, from = "", to = ""] = span;
    return `every ${step.exec(minute)?.[1]} minutes from ${pad(from)}:00 to ${pad(to)}:59`;
  }
  if (minutes === null) return null;
  const past = minutes.map((one) => `:${pad(one)}`);
  if (hour === "*") return `every hour at ${listed(past)}`;
  if (step.test(hour)) return `every ${step.exec(hour)?.[1]} hours at ${listed(past)}`;
  if (hours === null) return null;
  return `at ${listed(hours.flatMap((one) => past.map((rest) => `${pad(one)}${rest}`)))}`;
}

/** Return on which days; empty for any. Cron takes a date and a weekday as either of them. */
function daysInWords(date: string, month: string, weekday: string): string | null {
  const parts: string[] = [];
  if (date !== "*") {
    const dates = numbers(date, 31);
    if (dates === null) return null;
    parts.push(`on day ${listed(dates.map(String))} of the month`);
  }
  if (weekday !== "*") {
    const said = weekdaysInWords(weekday);
    if (said === null) return null;
    parts.push(said);
  }
  if (month === "*") return parts.join(" or ");
  const months = numbers(month, MONTHS.length)?.map((one) => MONTHS[one - 1]);
  if (months === undefined || months.some((one) => one === undefined)) return null;
  const when = `in ${listed(months as string[])}`;
  return parts.length === 0 ? `every day ${when}` : `${parts.join(" or ")} ${when}`;
}

function weekdaysInWords(weekday: string): string | null {
  if (weekday === WEEKDAYS) return "Monday to Friday";
  const named = weekday
    .toUpperCase()
    .split(",")
    .map((one) => {
      const index = DAYS.findIndex((day) => day.slice(0, 3).toUpperCase() === one);
      return index < 0 ? one : String(index);
    })
    .join(",");
  // Both 0 and 7 are Sunday.
  const days = numbers(named, 7)?.map((one) => `${DAYS[one % DAYS.length]}s`);
  return days === undefined ? null : `on ${listed(days)}`;
}

/** Return the numbers of a list such as `1,15`; null when it is none. */
function numbers(field: string, most: number): number[] | null {
  if (!/^\d{1,2}(,\d{1,2})*$/.test(field)) return null;
  const found = field.split(",").map(Number);
  return found.every((one) => one <= most) ? found : null;
}

function listed(words: string[]): string {
  const last = words.at(-1) ?? "";
  return words.length < 2 ? last : `${words.slice(0, -1).join(", ")} and ${last}`;
}

function pad(value: number | string): string {
  return String(value).padStart(2, "0");
}

export type Rhythm = "hour" | "day" | "week" | "month";

/** Return the expression of a rhythm; `time` as `03:30`, `day` of the week (0: Sunday) or month. */
export function cronOf(rhythm: Rhythm, time: string, day: string): string {
  const [hour = "0", minute = "0"] = time.split(":").map((part) => String(Number(part)));
  switch (rhythm) {
    case "hour":
      return `${minute} * * * *`;
    case "day":
      return `${minute} ${hour} * * *`;
    case "week":
      return `${minute} ${hour} * * ${day}`;
    case "month":
      return `${minute} ${hour} ${day} * *`;
  }
}

export const WEEKDAY_CHOICES = DAYS.map((label, index) => ({ value: String(index), label }));
