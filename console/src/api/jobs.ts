import { answered, api } from "~/api/client";
import type { components, operations } from "~/api/schema";

export type JobState = components["schemas"]["JobStatus"];
export type Signal = "cancel" | "pause" | "resume" | "retry";

/** One durable piece of work; see the reference of `/jobs`. */
export type Job = Required<components["schemas"]["jobs_schemas_Attributes"]> & { id: string };

/** What a list of jobs can be narrowed to, by the names that the door gives its filters. */
export type JobFilters = {
  [Name in keyof ListQuery as Name extends `filter[${infer Filter}]`
    ? Filter
    : never]?: ListQuery[Name];
};

type ListQuery = NonNullable<operations["JobsIndex"]["parameters"]["query"]>;
type Resource = components["schemas"]["jobs_schemas_Resource"];

export interface JobPage {
  jobs: Job[];
  /** Where the next page begins; null after the last one. */
  next: string | null;
}

/** How many jobs a signal has reached, and how many are in a status that does not allow it. */
export interface Signalled {
  signalled: number;
  refused: number;
}

/** Return one page of jobs. `after` is a cursor, empty for the first page. */
export async function listJobs(asked: {
  filters: JobFilters;
  sort: string;
  size: number;
  after?: string;
  signal?: AbortSignal;
}): Promise<JobPage> {
  const { filters, sort, size, after = "", signal } = asked;
  const query = {
    ...queryOf(filters),
    sort,
    "page[size]": String(size),
    "page[after]": after,
  };
  const page = await answered(api.GET("/jobs", { params: { query }, signal }));
  return { jobs: page.data.map(jobOf), next: cursorOf(page.links.next) };
}

/** Return how many jobs pass the filters. */
export async function countJobs(filters: JobFilters, signal?: AbortSignal): Promise<number> {
  const query = {
    ...queryOf(filters),
    count: "true",
    "page[size]": "1",
    "fields[media:jobs]": "status",
  };
  const page = await answered(api.GET("/jobs", { params: { query }, signal }));
  return Number(page.meta.count);
}

export async function showJob(id: string, signal?: AbortSignal): Promise<Job> {
  const path = { job_id: id };
  return jobOf((await answered(api.GET("/jobs/{job_id}", { params: { path }, signal }))).data);
}

export async function deleteJob(id: string): Promise<void> {
  await answered(api.DELETE("/jobs/{job_id}", { params: { path: { job_id: id } } }));
}

/** Signal a job and return it as it stands then; a running one stops a moment later. */
export async function signalJob(id: string, signal: Signal): Promise<Job> {
  const params = { path: { job_id: id } };
  return jobOf(
    (await answered(api.POST("/jobs/{job_id}/signal", { params, body: { signal } }))).data,
  );
}

/** Signal every job that passes the filters, of which there must be at least one. */
export async function signalJobs(filters: JobFilters, signal: Signal): Promise<Signalled> {
  const params = { query: queryOf(filters) };
  return (await answered(api.POST("/jobs/signal", { params, body: { signal } }))).meta;
}

function queryOf(filters: JobFilters): ListQuery {
  return Object.fromEntries(
    Object.entries(filters).map(([name, value]) => [`filter[${name}]`, value]),
  );
}

/** No field is left out of an answer unless it was asked to. */
function jobOf({ id, attributes }: Resource): Job {
  return { id, ...(attributes as Required<typeof attributes>) };
}

function cursorOf(link: string | null): string | null {
  return link === null ? null : new URL(link).searchParams.get("page[after]");
}
