import { randomId } from "~/local/random";
import { RateMeter } from "~/uploads/rate";
import type { RememberedUpload } from "~/uploads/remembered";
import type { AddedFile, UploadItem } from "~/uploads/types";

/** One file of the queue, with what is needed to send it. */
export class Entry {
  /** Null after a reload, until the browser gives the file again. */
  file: File | null = null;
  handle: FileSystemFileHandle | null = null;
  permit: FileSystemHandle | null = null;
  sent: number;
  /** The most that was ever sent: beyond it, there is progress. */
  private furthest = 0;
  movedAt = 0;
  readonly meter = new RateMeter();
  /** What the next creation of an upload is known by. */
  creationKey: string;
  /** In a row, without progress. */
  failures = 0;
  conflicts = 0;
  private attempt = 0;
  private stopSending: (() => void) | null = null;
  private retry: number | undefined;

  constructor(public item: UploadItem) {
    this.sent = item.sent;
    this.creationKey = item.id;
  }

  static of({ file, folder, handle, permit }: AddedFile, tags: readonly string[]): Entry {
    const entry = new Entry({
      id: randomId(),
      name: file.name,
      folder,
      size: file.size,
      type: file.type,
      lastModified: file.lastModified,
      tags,
      state: "waiting",
      sent: 0,
      rate: 0,
      error: null,
      url: null,
      hasHandle: handle !== null,
    });
    entry.file = file;
    entry.handle = handle;
    entry.permit = permit;
    return entry;
  }

  /** Return what a window that is gone has left behind. */
  static recalled(upload: RememberedUpload): Entry {
    const { id, name, folder, size, type, lastModified, tags, sent, url } = upload;
    const entry = new Entry({
      ...{ id, name, folder, size, type, lastModified, tags, sent, url },
      state: "lost",
      rate: 0,
      error: null,
      hasHandle: upload.handle !== null,
    });
    entry.handle = upload.handle;
    entry.permit = upload.permit;
    return entry;
  }

  /** What is kept of it over a reload. */
  get remembered(): Omit<RememberedUpload, "owner"> {
    const { id, name, folder, size, type, lastModified, tags, url, state } = this.item;
    const { sent, handle, permit } = this;
    const item = { id, name, folder, size, type, lastModified, tags, url };
    return { ...item, sent, paused: state === "paused", handle, permit };
  }

  /** What the service is told of the file. */
  get metadata(): Record<string, string> {
    const { name, type, folder, tags } = this.item;
    return {
      filename: name,
      ...(type !== "" && { filetype: type }),
      ...(folder !== "" && { relativePath: `${folder}/${name}` }),
      ...(tags.length > 0 && { tags: tags.join(",") }),
    };
  }

  /** Return a check of whether the attempt that begins now is still the one that counts. */
  begin(now: number): () => boolean {
    this.movedAt = now;
    this.meter.reset();
    this.attempt += 1;
    const { attempt } = this;
    return () => this.attempt === attempt;
  }

  sendingBy(stop: () => void): void {
    this.stopSending = stop;
  }

  /** End what goes on; nothing more is heard of it. */
  stop(): void {
    this.attempt += 1;
    this.stopSending?.();
    this.stopSending = null;
    window.clearTimeout(this.retry);
  }

  retryAfter(milliseconds: number, retry: () => void): void {
    this.retry = window.setTimeout(retry, milliseconds);
  }

  /** Take note of how many bytes have left. Returns how many those are more than before. */
  moved(sent: number, now: number): number {
    const more = Math.max(sent - this.sent, 0);
    this.sent = sent;
    this.movedAt = now;
    this.meter.add(more);
    if (sent > this.furthest) {
      this.furthest = sent;
      this.failures = 0;
      this.conflicts = 0;
    }
    return more;
  }
}

/** What tells that a file is the same one, chosen again. */
export function fingerprint(of: {
  name: string;
  folder: string;
  size: number;
  lastModified: number;
}): string {
  return JSON.stringify([of.folder, of.name, of.size, of.lastModified]);
}
