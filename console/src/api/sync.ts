import { answered, api } from "~/api/client";
import type { components } from "~/api/schema";

export type Sync = components["schemas"]["Sync"];
export type Plan = components["schemas"]["Plan"];
export type Operation = components["schemas"]["Operation"];
export type Schedule = components["schemas"]["Schedule"];
export type Action = Operation["action"];
export type OperationState = Operation["state"];
export type Signal = "pause" | "resume" | "retry";

/** What can be asked of a sync. Empty texts are absent. */
export interface SyncRequest {
  source: string;
  dest: string;
  storage_url: string;
  access_key: string;
  secret_key: string;
  region: string;
  backup_prefix: string;
  verify: boolean;
  watch: boolean;
  force: boolean;
  /** Seconds between two file operations. */
  wait: number;
}

export interface SyncPage {
  syncs: Sync[];
  after: number | null;
}

export interface OperationPage {
  operations: Operation[];
  after: string | null;
}

const SYNCS_PAGE = 50;
const OPERATIONS_PAGE = 500;
const MOST_UNDER_WAY = 40;

/** Start a sync and return it at once. It loses nothing that the plan of a dry run does not. */
export async function startSync(request: SyncRequest, planned: number): Promise<Sync> {
  const body = { ...parameters(request), as_planned: String(planned) };
  return answered(api.POST("/sync", { body }));
}

/** Start to make a plan of a sync, and return it at once. Nothing is changed. */
export async function planSync(request: SyncRequest): Promise<Sync> {
  return answered(
    api.POST("/sync", {
      // A sync that watches cannot only plan.
      body: { ...parameters({ ...request, watch: false }), dry_run: "1" },
      headers: { Prefer: "wait=0" },
    }),
  );
}

export async function showSync(id: number): Promise<Sync> {
  return answered(api.POST("/get", { body: { id: String(id) } }));
}

/** End a sync before its next file operation, and return it. */
export async function cancelSync(id: number): Promise<Sync> {
  return answered(api.POST("/cancel", { body: { id: String(id) } }));
}

/** Return a page of all syncs, newest first. */
export async function listSyncs(after: number | null): Promise<SyncPage> {
  const query = { limit: String(SYNCS_PAGE), ...(after !== null && { after: String(after) }) };
  const page = await answered(api.GET("/sync/history", { params: { query } }));
  const last = page.syncs.at(-1);
  return { syncs: page.syncs, after: page.next === null ? null : (last?.id ?? null) };
}

/** Return a page of what a sync does of one action, in one state or (empty) in any. */
export async function listOperations(
  id: number,
  action: Action,
  state: OperationState | "",
  after: string | null,
): Promise<OperationPage> {
  const query = {
    id: String(id),
    action,
    limit: String(OPERATIONS_PAGE),
    ...(state !== "" && { state }),
    ...(after !== null && { after }),
  };
  const page = await answered(api.GET("/sync/operations", { params: { query } }));
  const next = page.next === null ? null : new URL(page.next, window.location.href);
  return { operations: page.operations, after: next?.searchParams.get("after") ?? null };
}

/** Return the files of a sync of which a part is in the bucket, the first ones. */
export async function listUnderWay(id: number): Promise<Operation[]> {
  const query = { id: String(id), under_way: "1", limit: String(MOST_UNDER_WAY) };
  return (await answered(api.GET("/sync/operations", { params: { query } }))).operations;
}

/** Return the status of the job that a sync is: unlike a sync's it tells what is paused. */
export async function syncJobStatus(job: string): Promise<string> {
  const shown = await answered(api.GET("/jobs/{job_id}", { params: { path: { job_id: job } } }));
  return shown.data.attributes.status ?? "running";
}

export async function signalSync(job: string, signal: Signal): Promise<void> {
  await answered(
    api.POST("/jobs/{job_id}/signal", { params: { path: { job_id: job } }, body: { signal } }),
  );
}

export async function listSchedules(): Promise<Schedule[]> {
  return answered(api.GET("/sync/schedules"));
}

/** Let a sync start at the times that `cron` names, in UTC. */
export async function createSchedule(request: SyncRequest, cron: string): Promise<Schedule> {
  return answered(
    api.POST("/sync/schedules", { body: { ...parameters({ ...request, watch: false }), cron } }),
  );
}

export async function removeSchedule(id: number): Promise<void> {
  await answered(
    api.DELETE("/sync/schedules/{number}", { params: { path: { number: String(id) } } }),
  );
}

/** Return what the door is told: texts, and of these only what differs from its defaults. */
function parameters(request: SyncRequest): Record<string, string> {
  const given = Object.entries(request).map(([name, value]) => [
    name,
    typeof value === "boolean" ? (value ? "1" : "") : value === 0 ? "" : String(value),
  ]);
  return Object.fromEntries(given.filter(([, value]) => value !== ""));
}
