/**
 * Where an upload stands.
 *
 * `interrupted`: it goes on by itself; `failed`: somebody has to say so; `lost`: the page was
 * loaded again, and the browser does not let it read the file without being asked.
 */
export type UploadState =
  | "waiting"
  | "uploading"
  | "interrupted"
  | "paused"
  | "lost"
  | "failed"
  | "finished";

/** One file of the queue, as it is shown. It is replaced whenever something of it changes. */
export interface UploadItem {
  readonly id: string;
  readonly name: string;
  /** The folder that it was in, below the one that was chosen: `holidays/2026`, or nothing. */
  readonly folder: string;
  /** In bytes. */
  readonly size: number;
  readonly type: string;
  readonly lastModified: number;
  readonly tags: readonly string[];
  readonly state: UploadState;
  /** Bytes that have left. */
  readonly sent: number;
  /** Bytes per second. */
  readonly rate: number;
  /** Why it failed, or waits: a sentence. */
  readonly error: string | null;
  /** The address of the upload, once the service knows of it. */
  readonly url: string | null;
  /** Whether the browser can give the file again after a reload. */
  readonly hasHandle: boolean;
}

export interface Totals {
  readonly files: number;
  readonly states: Readonly<Record<UploadState, number>>;
  readonly bytes: number;
  readonly sent: number;
  readonly rate: number;
  /** Until all is there that is not paused, failed or lost; null when nobody can tell. */
  readonly secondsLeft: number | null;
}

export interface QueueSnapshot {
  readonly items: readonly UploadItem[];
  readonly totals: Totals;
}

/** A file that somebody chose or dropped. */
export interface AddedFile {
  file: File;
  folder: string;
  handle: FileSystemFileHandle | null;
  /** What to ask for permission after a reload: the chosen folder, or the file itself. */
  permit: FileSystemHandle | null;
}
