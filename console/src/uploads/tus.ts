import { DetailedError, Upload } from "tus-js-client";
import { type Failure, type FailureKind, OUTAGE } from "~/uploads/failures";

export interface Progress {
  /** The upload has an address: with it it can be gone on with. */
  located: (url: string) => void;
  /** So many bytes have left. */
  sent: (bytes: number) => void;
  finished: () => void;
  failed: (failure: Failure) => void;
}

export interface Sending {
  file: File;
  /** The address of an upload that was begun before. */
  url: string | null;
  metadata: Record<string, string>;
  /** What a creation is known by, when its answer is lost and it is sent again. */
  creationKey: () => string;
}

/** Up to this size, one request does everything. */
const SMALL_BYTES = 4 << 20;
const CONFLICTS = new Set([404, 408, 409, 410, 423, 460]);
const NO_ROOM = 507;

/** Begin an upload, or go on with one. Returns what stops it; then nothing is reported any more. */
export function send(
  { file, url, metadata, creationKey }: Sending,
  progress: Progress,
): () => void {
  const upload = new Upload(file, {
    endpoint: new URL("/uploads/", window.location.href).href,
    uploadUrl: url,
    metadata,
    uploadDataDuringCreation: file.size > 0 && file.size <= SMALL_BYTES,
    // The queue knows better when to try again: it sees all uploads.
    retryDelays: null,
    storeFingerprintForResuming: false,
    onBeforeRequest: (request) => {
      if (request.getMethod() === "POST") request.setHeader("Idempotency-Key", creationKey());
    },
    onUploadUrlAvailable: () => {
      if (upload.url === null) return;
      // The service tells addresses as others reach it; the page asks where it comes from itself.
      upload.url = new URL(new URL(upload.url).pathname, window.location.href).href;
      progress.located(upload.url);
    },
    onProgress: (bytes) => progress.sent(bytes),
    onSuccess: () => progress.finished(),
    onError: (error) => progress.failed(failureOf(error)),
  });
  upload.start();
  return () => void upload.abort();
}

/** Let the service forget an unfinished upload. What does not work now ends by itself later. */
export function giveUp(url: string): void {
  Upload.terminate(url, { retryDelays: [1_000, 5_000] }).catch(() => {});
}

function failureOf(error: Error): Failure {
  if (!(error instanceof DetailedError)) return { kind: "refusal", message: error.message };
  const response = error.originalResponse;
  const status = response?.getStatus() ?? 0;
  if (!response || status === 0) return OUTAGE;
  return {
    kind: kindOf(status),
    message: sentence(response.getBody()) ?? `The service answered ${status}.`,
  };
}

function kindOf(status: number): FailureKind {
  if (CONFLICTS.has(status)) return "conflict";
  return status >= 500 && status !== NO_ROOM ? "outage" : "refusal";
}

function sentence(body: string): string | null {
  try {
    const { error } = JSON.parse(body) as { error?: unknown };
    return typeof error === "string" ? error : null;
  } catch {
    return null;
  }
}
