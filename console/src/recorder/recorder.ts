import { messageOf } from "~/api/errors";
import { askBeforeLeaving } from "~/local/leaving";
import { ChunkSender } from "./chunk-sender";
import { chunksOf, forgetRecording, type KeptRecording, recallRecordings } from "./kept";
import { openSource, type Source } from "./sources";
import { IDLE, type Phase, type RecorderSnapshot, type SourceChoice } from "./types";
import { wordsFor } from "./words";

const CHUNK_MILLISECONDS = 1_000;
const TICK_MILLISECONDS = 250;

/**
 * The one recording of this window: from the open source until the service has all of it.
 *
 * It is a store outside of React, so that what was recorded is sent whatever page is shown.
 */
export class Recorder {
  private snapshot: RecorderSnapshot = { ...IDLE, left: [] };
  private readonly watchers = new Set<() => void>();
  private source: Source | null = null;
  /** Counts what was asked to be opened: what opens later than it is wanted is closed at once. */
  private wanted = 0;
  private recorder: MediaRecorder | null = null;
  private sender: ChunkSender | null = null;
  private ticking: number | undefined;
  private tickedAt = 0;

  constructor() {
    void recallRecordings((one) => this.change({ left: [...this.snapshot.left, one] }));
  }

  watch = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  };

  current = (): RecorderSnapshot => this.snapshot;

  /** Open a source in place of the one before, and show it. */
  async open(choice: SourceChoice): Promise<void> {
    this.close();
    this.change({ ...IDLE, kind: choice.kind });
    const { wanted } = this;
    let source: Source;
    try {
      source = await openSource(choice);
    } catch (error) {
      if (this.wanted === wanted) this.change({ error: wordsFor(error, choice.kind) });
      return;
    }
    if (this.wanted !== wanted) {
      source.close();
      return;
    }
    this.source = source;
    const { stream } = source;
    // The person may end what is shown by the browser's own button, or unplug a device.
    for (const track of stream.getVideoTracks()) track.onended = () => this.sourceEnded();
    this.change({ phase: "ready", stream });
  }

  start(mimeType: string): void {
    const { stream } = this.snapshot;
    if (stream === null) return;
    try {
      this.recorder = new MediaRecorder(stream, { mimeType });
      this.recorder.start(CHUNK_MILLISECONDS);
    } catch (error) {
      this.change({ error: wordsFor(error, this.snapshot.kind) });
      return;
    }
    const sender = ChunkSender.fresh(this.recorder.mimeType, () => this.sent());
    this.recorder.ondataavailable = ({ data }) => {
      sender.add(data);
      this.change({ bytes: this.snapshot.bytes + data.size });
    };
    this.recorder.onstop = () => {
      sender.end();
      this.close();
      if (this.snapshot.error === null) this.become("sending");
    };
    this.change({ ...IDLE, kind: this.snapshot.kind, stream, mimeType: this.recorder.mimeType });
    this.become("recording");
    void this.send(sender);
  }

  pause(): void {
    this.recorder?.pause();
    this.become("paused");
  }

  resume(): void {
    this.recorder?.resume();
    this.become("recording");
  }

  /** End the recording: what waits is sent, and the service makes a film of it. */
  stop(): void {
    if (this.recorder?.state !== "inactive") this.recorder?.stop();
  }

  /** Close the source, or the one that the browser still asks about, unless it is recorded. */
  release(): void {
    if (this.snapshot.phase === "idle") this.close();
    if (this.snapshot.phase !== "ready") return;
    this.close();
    this.change(IDLE);
  }

  /** Be ready for another recording. */
  reset(): void {
    if (this.snapshot.phase === "received" || this.snapshot.phase === "idle") this.change(IDLE);
  }

  /** Send what a window that is gone has left behind, and complete it. */
  async recover(left: KeptRecording): Promise<void> {
    this.close();
    this.forget(left);
    const waiting = await chunksOf(left.id);
    const { mimeType } = left;
    const kind = mimeType.startsWith("audio/") ? "microphone" : "camera";
    const sender = new ChunkSender({ ...left, waiting }, () => this.sent());
    sender.end();
    this.change({ ...IDLE, kind, mimeType, bytes: sender.waitingBytes });
    this.become("sending");
    await this.send(sender);
  }

  /** Forget what a window that is gone has left behind; the service keeps what it has. */
  discard(left: KeptRecording): void {
    this.forget(left);
    void forgetRecording(left.id);
  }

  private forget({ id }: KeptRecording): void {
    this.change({ left: this.snapshot.left.filter((one) => one.id !== id) });
  }

  private async send(sender: ChunkSender): Promise<void> {
    this.sender = sender;
    this.sent();
    try {
      const id = await sender.run();
      this.change({ id });
      this.become("received");
    } catch (error) {
      this.stop();
      this.close();
      this.change({ error: messageOf(error), id: sender.recording });
      this.become("idle");
    }
  }

  private sourceEnded(): void {
    if (this.snapshot.phase === "ready") this.release();
    else this.stop();
  }

  private close(): void {
    this.wanted += 1;
    this.source?.close();
    this.source = null;
    this.change({ stream: null });
  }

  private sent(): void {
    if (this.sender === null) return;
    const { waitingChunks, waitingBytes, trouble } = this.sender;
    this.change({ waitingChunks, waitingBytes, trouble });
  }

  private become(phase: Phase): void {
    this.tick();
    window.clearInterval(this.ticking);
    if (phase === "recording") {
      this.ticking = window.setInterval(() => this.tick(), TICK_MILLISECONDS);
    }
    askBeforeLeaving("recording", ["recording", "paused", "sending"].includes(phase));
    this.change({ phase });
  }

  /** Count the time since the last tick, if it was recorded. */
  private tick(): void {
    const now = performance.now();
    const passed = this.snapshot.phase === "recording" ? (now - this.tickedAt) / 1000 : 0;
    this.tickedAt = now;
    if (passed > 0) this.change({ seconds: this.snapshot.seconds + passed });
  }

  private change(changes: Partial<RecorderSnapshot>): void {
    this.snapshot = { ...this.snapshot, ...changes };
    for (const watcher of this.watchers) watcher();
  }
}
