import { answered, api } from "~/api/client";
import type { components } from "~/api/schema";

export type System = components["schemas"]["System"];
export type SystemWorker = components["schemas"]["SystemWorker"];
export type SystemSetting = components["schemas"]["SystemSetting"];
export type Stored = components["schemas"]["Stored"];
export type StoredDay = components["schemas"]["StoredDay"];
export type Throughput = components["schemas"]["Passed"];

/** Return how the service stands, with the settings in effect. */
export async function showSystem(signal?: AbortSignal): Promise<System> {
  return answered(api.GET("/system", { signal }));
}

/** Return what is stored, with the last `days` (UTC) one by one. */
export async function showStored(days: number, signal?: AbortSignal): Promise<Stored> {
  const query = { days: String(days) };
  return answered(api.GET("/system/stored", { params: { query }, signal }));
}

/** Return what passed through the web processes of this machine since they started. */
export async function showThroughput(signal?: AbortSignal): Promise<Throughput> {
  return answered(api.GET("/system/throughput", { signal }));
}
