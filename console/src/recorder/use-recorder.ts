import { useSyncExternalStore } from "react";
import { Recorder } from "./recorder";
import type { RecorderSnapshot } from "./types";

export const recorder = new Recorder();

export function useRecorder(): RecorderSnapshot {
  return useSyncExternalStore(recorder.watch, recorder.current);
}
