import { askBeforeLeaving } from "~/local/leaving";
import { randomId } from "~/local/random";
import { ThrottledStore } from "~/local/throttled-store";
import { Entry, fingerprint } from "~/uploads/entry";
import { type Failure, OUTAGE, waitAfter } from "~/uploads/failures";
import { isPermitted, isPermittedNow, isReadable, readAgain } from "~/uploads/handles";
import { RateMeter } from "~/uploads/rate";
import { type RememberedUpload, recallUploads, UploadMemory } from "~/uploads/remembered";
import { isUnderWay, totalsOf } from "~/uploads/totals";
import type { AddedFile, QueueSnapshot, UploadItem, UploadState } from "~/uploads/types";

const AT_ONCE = 3;
const LOOK_MILLISECONDS = 250;
/** A connection that is dead without an error is given up after this time. */
const STALL_MILLISECONDS = 60_000;
const MOST_CONFLICTS = 8;
const FILE_GONE: Failure = {
  kind: "refusal",
  message:
    "The file was changed or moved since it was chosen. Remove it here, and choose it again.",
};

/**
 * The uploads of this window, some at a time.
 *
 * It lives outside of React; `store` tells a few times a second what has changed.
 */
export class UploadQueue {
  private readonly entries = new Map<string, Entry>();
  /** The unfinished ones, by what tells that a file is the same. */
  private readonly known = new Map<string, Entry>();
  private readonly line = new Set<Entry>();
  /** Those that have one of the places; who is interrupted keeps it. */
  private readonly active = new Set<Entry>();
  private readonly memory = new UploadMemory();
  private readonly meter = new RateMeter();
  private filling = false;
  readonly store = new ThrottledStore<QueueSnapshot>(
    { items: [], totals: totalsOf([], 0) },
    () => this.look(),
    LOOK_MILLISECONDS,
  );

  constructor() {
    window.addEventListener("offline", () => this.eachActive("uploading", this.interrupt));
    window.addEventListener("online", () => this.eachActive("interrupted", this.begin));
    void recallUploads((left) => void this.adopt(left));
  }

  /** Take files into the queue. A file that is in it already is not sent twice. */
  add(files: readonly AddedFile[], tags: readonly string[]): void {
    for (const added of files) {
      const known = this.find(added);
      if (known === undefined) this.enqueue(Entry.of(added, tags));
      else this.giveFile(known, added);
    }
    this.fill();
  }

  pause(id: string): void {
    const entry = this.entries.get(id);
    if (entry === undefined || !isUnderWay(entry.item.state)) return;
    this.leave(entry, "paused");
    this.remember(entry);
    this.fill();
  }

  /** Go on with what is paused or failed. */
  resume(id: string): void {
    const entry = this.entries.get(id);
    if (entry === undefined || !["paused", "failed"].includes(entry.item.state)) return;
    entry.failures = 0;
    entry.conflicts = 0;
    this.wait(entry);
    this.fill();
  }

  /** Take a file out of the queue; the service forgets what it has of it, unless it is all. */
  remove(id: string): void {
    const entry = this.entries.get(id);
    if (entry === undefined) return;
    const { url, state } = entry.item;
    this.leave(entry, state);
    this.entries.delete(id);
    this.known.delete(fingerprint(entry.item));
    this.memory.forget(id);
    if (url !== null && state !== "finished") {
      void import("~/uploads/tus").then(({ giveUp }) => giveUp(url));
    }
    this.fill();
  }

  /** Do something with every upload in one of these states. */
  each(states: readonly UploadState[], act: (queue: this, id: string) => void): void {
    for (const { item } of [...this.entries.values()]) {
      if (states.includes(item.state)) act(this, item.id);
    }
  }

  /** Ask the browser for the files of uploads that a reload has interrupted, and go on. */
  async goOn(): Promise<void> {
    for (const entry of [...this.entries.values()]) {
      const { handle, permit } = entry;
      if (entry.item.state !== "lost" || handle === null) continue;
      if (!(await isPermitted(handle)) && !(await isPermittedNow(permit ?? handle))) break;
      await this.revive(entry, "waiting");
    }
    this.fill();
  }

  private enqueue(entry: Entry): void {
    this.entries.set(entry.item.id, entry);
    this.known.set(fingerprint(entry.item), entry);
    this.wait(entry);
  }

  private find({ file, folder }: AddedFile): Entry | undefined {
    const { name, size, lastModified } = file;
    const same = this.known.get(fingerprint({ name, folder, size, lastModified }));
    if (same !== undefined || folder !== "" || this.store.current().totals.states.lost === 0)
      return same;
    // Who was asked to choose a file again chooses it alone, not with the folder that it came in.
    return [...this.known.values()].find(
      ({ item }) =>
        item.state === "lost" &&
        item.name === name &&
        item.size === size &&
        item.lastModified === lastModified,
    );
  }

  private giveFile(entry: Entry, { file, handle, permit }: AddedFile): void {
    entry.file = file;
    entry.handle = handle;
    entry.permit = permit;
    if (entry.item.state === "lost" || entry.item.state === "failed") this.wait(entry);
  }

  private async adopt(left: readonly RememberedUpload[]): Promise<void> {
    for (const upload of left) {
      const entry = Entry.recalled(upload);
      this.entries.set(upload.id, entry);
      this.known.set(fingerprint(upload), entry);
      const { handle, paused } = upload;
      if (handle !== null && (await isPermitted(handle))) {
        await this.revive(entry, paused ? "paused" : "waiting");
      }
    }
    this.fill();
  }

  private async revive(entry: Entry, state: "paused" | "waiting"): Promise<void> {
    entry.file = entry.handle && (await readAgain(entry.handle, entry.item));
    if (entry.file === null) this.change(entry, { state: "failed", error: FILE_GONE.message });
    else if (state === "paused") this.change(entry, { state });
    else this.wait(entry);
  }

  private wait(entry: Entry): void {
    this.change(entry, { state: "waiting", error: null });
    this.line.add(entry);
    this.remember(entry);
  }

  /** Give free places to those who wait longest, when the caller has done with all uploads. */
  private fill(): void {
    this.store.changed();
    if (this.filling) return;
    this.filling = true;
    queueMicrotask(() => this.fillNow());
  }

  private fillNow(): void {
    this.filling = false;
    for (const entry of this.line) {
      if (this.active.size >= AT_ONCE) break;
      this.line.delete(entry);
      this.active.add(entry);
      this.begin(entry);
    }
  }

  private begin = (entry: Entry): void => {
    void this.send(entry);
  };

  private async send(entry: Entry): Promise<void> {
    const { file } = entry;
    if (file === null) return this.failed(entry, FILE_GONE);
    const isCurrent = entry.begin(performance.now());
    this.change(entry, { state: "uploading", error: null });
    const tus = await import("~/uploads/tus").catch(() => null);
    if (!isCurrent()) return;
    if (tus === null) return this.failed(entry, OUTAGE);
    const { url } = entry.item;
    const { metadata } = entry;
    const stop = tus.send(
      { file, url, metadata, creationKey: () => entry.creationKey },
      {
        located: (address) => isCurrent() && this.located(entry, address),
        sent: (bytes) => isCurrent() && this.moved(entry, bytes),
        finished: () => isCurrent() && this.finished(entry),
        failed: (failure) => isCurrent() && void this.failed(entry, failure),
      },
    );
    entry.sendingBy(stop);
  }

  private located(entry: Entry, url: string): void {
    if (entry.item.url === url) return;
    entry.creationKey = randomId(); // should this one expire, the next is another
    this.change(entry, { url });
    this.remember(entry);
  }

  private moved(entry: Entry, sent: number): void {
    this.meter.add(entry.moved(sent, performance.now()));
    this.store.changed();
  }

  private finished(entry: Entry): void {
    this.moved(entry, entry.item.size);
    this.leave(entry, "finished");
    this.known.delete(fingerprint(entry.item));
    this.memory.forget(entry.item.id);
    entry.file = null;
    this.fill();
  }

  private async failed(entry: Entry, failure: Failure): Promise<void> {
    const isCurrent = entry.begin(performance.now());
    const isGone = entry.file !== null && !(await isReadable(entry.file));
    if (!isCurrent()) return;
    const { kind, message } = isGone ? FILE_GONE : failure;
    if (kind === "conflict") entry.conflicts += 1;
    if (kind === "refusal" || entry.conflicts > MOST_CONFLICTS) {
      this.leave(entry, "failed", message);
      this.fill();
    } else {
      this.interrupt(entry, message);
    }
  }

  /** Try again after a while; what has arrived counts. */
  private interrupt = (entry: Entry, error = OUTAGE.message): void => {
    entry.stop();
    entry.failures += 1;
    this.change(entry, { state: "interrupted", error, rate: 0 });
    entry.retryAfter(waitAfter(entry.failures), () => this.begin(entry));
  };

  private eachActive(state: UploadState, act: (entry: Entry) => void): void {
    for (const entry of this.active) {
      if (entry.item.state !== state) continue;
      entry.stop();
      act(entry);
    }
  }

  private leave(entry: Entry, state: UploadState, error: string | null = null): void {
    entry.stop();
    this.line.delete(entry);
    this.active.delete(entry);
    this.change(entry, { state, error, rate: 0, sent: entry.sent });
  }

  private remember(entry: Entry): void {
    this.memory.keep(entry.remembered);
  }

  private change(entry: Entry, changes: Partial<UploadItem>): void {
    entry.item = { ...entry.item, ...changes };
    this.store.changed();
  }

  private look(): QueueSnapshot {
    const now = performance.now();
    for (const entry of this.active) {
      if (entry.item.state === "uploading") this.lookAt(entry, now);
    }
    const items = Array.from(this.entries.values(), ({ item }) => item);
    const sending = items.some(({ state }) => state === "uploading");
    if (!sending) this.meter.reset();
    askBeforeLeaving(
      "uploads",
      items.some(({ state }) => isUnderWay(state)),
    );
    if (this.active.size > 0) this.store.changed(); // rates fall also while nothing happens
    return { items, totals: totalsOf(items, sending ? this.meter.at(now) : 0) };
  }

  private lookAt(entry: Entry, now: number): void {
    const { sent, item } = entry;
    if (sent < item.size && now - entry.movedAt > STALL_MILLISECONDS) {
      this.interrupt(entry);
      return;
    }
    entry.item = { ...item, sent, rate: entry.meter.at(now) };
    if (sent !== item.sent) this.remember(entry);
  }
}
