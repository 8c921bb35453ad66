import type { JobFilters } from "~/api/jobs";
import type { Search } from "~/app/router";

export const STATUSES = ["pending", "running", "paused", "completed", "errored", "cancelled"];

export const RANGES = ["priority", "progress", "retry_count"] as const;
export const TIMES = ["created_at", "updated_at", "scheduled_at"] as const;
/** What is looked for as it is written. A time has microseconds, which no calendar can choose. */
export const EXACT = ["error", "unicity", ...TIMES] as const;

export type Range = (typeof RANGES)[number];
export type Time = (typeof TIMES)[number];

/** What filters are called where they are chosen. */
export const NAMES: Record<Range | (typeof EXACT)[number], string> = {
  error: "Error",
  unicity: "Unicity",
  priority: "Priority",
  progress: "Progress",
  retry_count: "Retries",
  created_at: "Created",
  updated_at: "Updated",
  scheduled_at: "Scheduled",
};

const LISTS = ["status", "job_class", "id"] as const;
const BOUNDED = [...RANGES, ...TIMES].flatMap((field) => [
  `${field}__gte` as const,
  `${field}__lte` as const,
]);

/** The names that filters have in the page's address. */
export type FilterName = (typeof EXACT | typeof RANGES | typeof LISTS | typeof BOUNDED)[number];

const RARE: FilterName[] = ["id", ...EXACT, ...RANGES, ...BOUNDED];
const ALL: FilterName[] = ["status", "job_class", ...RARE];

/** What is chosen, by its name in the address. Lists are separated by commas. */
export type Chosen = Partial<Record<FilterName, string>>;

export function chosenIn(search: Search): Chosen {
  const found = ALL.filter((name) => search[name] !== undefined && search[name] !== "");
  return Object.fromEntries(found.map((name) => [name, String(search[name])]));
}

/** Return the filters of the door for what is chosen. */
export function filtersOf(chosen: Chosen): JobFilters {
  const { status, job_class, id, ...others } = chosen;
  return {
    ...others,
    ...(status !== undefined && { status__in: status }),
    ...(job_class !== undefined && { job_class__in: job_class }),
    ...(id !== undefined && { id__in: id }),
  };
}

/** Return what is chosen of a list, one by one. */
export function listOf(text: string | undefined): string[] {
  return text === undefined ? [] : text.split(",");
}

/** Return several as they are kept, none as no filter. */
export function textOf(picked: string[]): string | undefined {
  return picked.length === 0 ? undefined : picked.join(",");
}

/** Return how many of the filters that are not always shown are in use. */
export function countRare(chosen: Chosen): number {
  return RARE.filter((name) => chosen[name] !== undefined).length;
}

export const NO_FILTER = Object.fromEntries(ALL.map((name) => [name, undefined]));

export const DEFAULT_SORT = "-created_at";

export const SORTS: { value: string; label: string }[] = [
  { value: "created_at", label: "Created" },
  { value: "updated_at", label: "Updated" },
  { value: "scheduled_at", label: "Scheduled" },
  { value: "status", label: "Status" },
  { value: "progress", label: "Progress" },
  { value: "priority", label: "Priority" },
  { value: "retry_count", label: "Retries" },
  { value: "job_class", label: "Class" },
  { value: "error", label: "Error" },
  { value: "unicity", label: "Unicity" },
  { value: "id", label: "Id" },
];

/** Return the order the other way round. */
export function reversed(sort: string): string {
  return sort.startsWith("-") ? sort.slice(1) : `-${sort}`;
}

/** Return a time of the address as an input for local times takes it, empty for none. */
export function localTime(time: string | undefined): string {
  const at = time === undefined ? Number.NaN : Date.parse(time);
  if (Number.isNaN(at)) return "";
  const offset = new Date(at).getTimezoneOffset() * 60_000;
  return new Date(at - offset).toISOString().slice(0, 16);
}

/** Return what an input for local times holds as a time of the address. */
export function exactTime(local: string): string | undefined {
  return local === "" ? undefined : new Date(local).toISOString();
}
