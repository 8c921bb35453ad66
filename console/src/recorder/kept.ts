import { Table } from "~/local/database";
import { owning, takeOver, thisWindow } from "~/local/ownership";

/** A recording that is not complete, as the browser keeps it over a reload. */
export interface KeptRecording {
  /** Ours: the service may not know of it yet. */
  id: string;
  owner: string;
  /** The service's. */
  recording: string | null;
  startedAt: number;
  mimeType: string;
  /** The number of the next chunk. */
  chunks: number;
}

export interface KeptChunk {
  recording: string;
  index: number;
  data: Blob;
}

const recordings = new Table<KeptRecording>("recordings");
const chunks = new Table<KeptChunk>("chunks");

// A browser that keeps nothing records as well; only a reload loses what has not been sent.
const ignore = () => {};

export async function keepRecording(recording: Omit<KeptRecording, "owner">): Promise<void> {
  await owning;
  await recordings.change([{ ...recording, owner: thisWindow }]).catch(ignore);
}

export async function keepChunk(chunk: KeptChunk): Promise<void> {
  await chunks.change([chunk]).catch(ignore);
}

export async function forgetChunk({ recording, index }: KeptChunk): Promise<void> {
  await chunks.change([], [[recording, index]]).catch(ignore);
}

export function chunksOf(id: string): Promise<KeptChunk[]> {
  return chunks.where("recording", id);
}

export async function forgetRecording(id: string): Promise<void> {
  const left = await chunksOf(id).catch(() => []);
  await chunks
    .change(
      [],
      left.map(({ recording, index }) => [recording, index]),
    )
    .catch(ignore);
  await recordings.change([], [id]).catch(ignore);
}

/** Call `adopt` with each recording that a window which is gone has left behind. */
export async function recallRecordings(adopt: (left: KeptRecording) => void): Promise<void> {
  const all = await recordings.all().catch(() => []);
  takeOver(
    all.map(({ owner }) => owner),
    async (owner) => {
      const left = await recordings.where("owner", owner);
      await recordings.change(left.map((one) => ({ ...one, owner: thisWindow })));
      for (const one of left) adopt(one);
    },
  );
}
