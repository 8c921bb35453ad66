import type { KeptRecording } from "~/recorder/kept";

export type SourceKind = "camera" | "screen" | "microphone";

/** What is to be recorded. Devices are told by the browser's ids; empty: whichever it likes. */
export interface SourceChoice {
  kind: SourceKind;
  camera: string;
  /** Null: without sound. */
  microphone: string | null;
  /** Pictures of at most so many lines. */
  height: number;
}

/**
 * `ready`: the source is open and seen, nothing is recorded; `sending`: it was stopped, and what
 * waits is sent; `received`: the service has all of it.
 */
export type Phase = "idle" | "ready" | "recording" | "paused" | "sending" | "received";

export interface RecorderSnapshot {
  readonly phase: Phase;
  readonly kind: SourceKind;
  readonly stream: MediaStream | null;
  readonly mimeType: string;
  /** Of recorded time, without pauses. */
  readonly seconds: number;
  /** That were recorded. */
  readonly bytes: number;
  readonly waitingChunks: number;
  readonly waitingBytes: number;
  /** Why chunks wait, which are tried again: a sentence. */
  readonly trouble: string | null;
  /** The recording's id, once the service knows of it. */
  readonly id: string | null;
  /** A sentence. */
  readonly error: string | null;
  /** What windows that are gone have not completed. */
  readonly left: readonly KeptRecording[];
}

export const IDLE: Omit<RecorderSnapshot, "left"> = {
  phase: "idle",
  kind: "camera",
  stream: null,
  mimeType: "",
  seconds: 0,
  bytes: 0,
  waitingChunks: 0,
  waitingBytes: 0,
  trouble: null,
  id: null,
  error: null,
};
