import { ServiceError, UnreachableError } from "~/api/errors";
import type { components } from "~/api/schema";

/** Longer than a chunk takes over the slowest line that keeps up with a recording. */
const TIMEOUT_MILLISECONDS = 60_000;

export type ReceivedRecording = components["schemas"]["RecordingWithFiles"];

/** Let the service begin a recording; returns its id. */
export async function create(): Promise<string> {
  const { video_id } = (await post("/create/")) as { video_id: string };
  return video_id;
}

/** Send a chunk. One that arrived before is acknowledged again, and kept once. */
export async function addChunk(id: string, index: number, chunk: Blob): Promise<void> {
  await post(`/add_data/${id}/`, chunk, { "Chunk-Index": String(index) });
}

export async function complete(id: string): Promise<void> {
  await post(`/complete_job/${id}/`);
}

async function post(path: string, body?: Blob, headers?: HeadersInit): Promise<unknown> {
  const signal = AbortSignal.timeout(TIMEOUT_MILLISECONDS);
  const asked = fetch(path, { method: "POST", body, headers, signal });
  const response = await asked.catch((cause: unknown) => {
    throw new UnreachableError({ cause });
  });
  const answer: unknown = await response.json().catch(() => null);
  if (!response.ok) throw new ServiceError(response, answer);
  return answer;
}
