import { useSyncExternalStore } from "react";
import { UploadQueue } from "~/uploads/queue";
import type { QueueSnapshot } from "~/uploads/types";

/** The uploads of this window: they live as long as it does, whatever page is shown. */
export const uploads = new UploadQueue();

export function useUploads(): QueueSnapshot {
  return useSyncExternalStore(uploads.store.watch, uploads.store.current);
}
