import type { Plan, Sync, SyncRequest } from "~/api/sync";

export type Outcome = "running" | "success" | "cancelled" | "error";

/** Return where a sync stands in one word; the reason of an error is left out. */
export function outcomeOf({ status }: Sync): Outcome {
  return status.startsWith("error") ? "error" : (status as Outcome);
}

/** Return what a sync mirrors: `photos`, or all that lies below the uploads root. */
export function sourceName({ source }: { source: string }): string {
  return source === "" ? "All uploads" : source;
}

/** Return how many file operations a plan has. */
export function operationsOf(plan: Plan): number {
  return plan.upload.files + plan.copy.files + plan.update.files + plan.delete.files;
}

/** Return how far a sync is, from 0 to 1; it tells percent itself. */
export function progressOf({ progress }: Sync): number {
  return Number.parseInt(progress, 10) / 100;
}

/** Tell whether a sync was refused because it would delete too much without being forced. */
export function wantsForce({ status, force }: Sync): boolean {
  return !force && status.startsWith("error") && status.includes("force=1");
}

export const NEW_REQUEST: SyncRequest = {
  source: "",
  dest: "",
  storage_url: "",
  access_key: "",
  secret_key: "",
  region: "",
  backup_prefix: "",
  verify: false,
  watch: false,
  force: false,
  wait: 0,
};

/** Return the request that a sync was started with, without its keys: nobody is told those. */
export function requestOf(sync: Sync): SyncRequest {
  return {
    ...NEW_REQUEST,
    source: sync.source,
    dest: sync.dest,
    storage_url: sync.storage_url ?? "",
    backup_prefix: sync.backup_prefix ?? "",
    verify: sync.verify,
    watch: sync.watch,
    wait: sync.wait,
  };
}
