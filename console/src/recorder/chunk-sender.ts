import { ServiceError } from "~/api/errors";
import { randomId } from "~/local/random";
import { forgetChunk, forgetRecording, type KeptChunk, keepChunk, keepRecording } from "./kept";
import * as service from "./service";

const FIRST_WAIT = 500;
const LONGEST_WAIT = 8_000;

/** Begin with nothing, or with what an earlier window has left behind. */
export interface Beginning {
  id: string;
  recording: string | null;
  startedAt: number;
  mimeType: string;
  chunks: number;
  waiting: KeptChunk[];
}

/**
 * Sends the chunks of one recording, each after the one before, until the service has them.
 *
 * What has not arrived waits in memory, and in the browser's storage for a reload.
 */
export class ChunkSender {
  /** Why the service takes no chunks at the moment: a sentence. */
  trouble: string | null = null;
  recording: string | null;
  private readonly waiting: KeptChunk[];
  private next: number;
  private ended = false;
  private wake: () => void = () => {};

  constructor(
    private readonly beginning: Beginning,
    private readonly changed: () => void,
  ) {
    this.recording = beginning.recording;
    this.next = beginning.chunks;
    this.waiting = beginning.waiting;
  }

  static fresh(mimeType: string, changed: () => void): ChunkSender {
    const none = { recording: null, chunks: 0, waiting: [] };
    return new ChunkSender({ id: randomId(), startedAt: Date.now(), mimeType, ...none }, changed);
  }

  get waitingChunks(): number {
    return this.waiting.length;
  }

  get waitingBytes(): number {
    return this.waiting.reduce((sum, { data }) => sum + data.size, 0);
  }

  /** Take the next chunk. */
  add(data: Blob): void {
    const chunk = { recording: this.beginning.id, index: this.next, data };
    this.next += 1;
    this.waiting.push(chunk);
    void keepChunk(chunk);
    this.keep();
    this.wake();
    this.changed();
  }

  /** There will be no more chunks. */
  end(): void {
    this.ended = true;
    this.wake();
  }

  /**
   * Send all there is and will be, and complete the recording; returns the service's id of it.
   *
   * @throws ServiceError when the service refuses it for good
   */
  async run(): Promise<string> {
    this.keep();
    const recording = this.recording ?? (await this.persevere(service.create));
    this.recording = recording;
    this.keep();
    for await (const chunk of this.inOrder()) {
      await this.persevere(() => service.addChunk(recording, chunk.index, chunk.data));
      this.waiting.shift();
      void forgetChunk(chunk);
      this.changed();
    }
    await this.persevere(() => service.complete(recording));
    await forgetRecording(this.beginning.id);
    return recording;
  }

  private async *inOrder(): AsyncGenerator<KeptChunk> {
    while (true) {
      const chunk = this.waiting[0];
      if (chunk !== undefined) yield chunk;
      else if (this.ended) return;
      else await this.moment();
    }
  }

  /** Do something until the service answers; connections break, and services restart. */
  private async persevere<T>(act: () => Promise<T>): Promise<T> {
    for (let wait = FIRST_WAIT; ; wait = Math.min(2 * wait, LONGEST_WAIT)) {
      try {
        const result = await act();
        this.become(null);
        return result;
      } catch (error) {
        if (error instanceof ServiceError && error.status < 500 && error.status !== 408) {
          throw error;
        }
        this.become(error instanceof ServiceError ? error.message : "The connection is lost.");
        await soonOrOnline(wait);
      }
    }
  }

  private become(trouble: string | null): void {
    if (this.trouble === trouble) return;
    this.trouble = trouble;
    this.changed();
  }

  private keep(): void {
    const { id, startedAt, mimeType } = this.beginning;
    const { recording, next: chunks } = this;
    void keepRecording({ id, recording, startedAt, mimeType, chunks });
  }

  /** Resolves when there is a chunk, or when there will be none. */
  private moment(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve;
    });
  }
}

function soonOrOnline(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = window.setTimeout(done, milliseconds);
    function done() {
      window.clearTimeout(timer);
      window.removeEventListener("online", done);
      resolve();
    }
    window.addEventListener("online", done);
  });
}
