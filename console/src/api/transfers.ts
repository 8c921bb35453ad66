import { type Answer, answered, api } from "~/api/client";
import type { components } from "~/api/schema";

export type Transfer = components["schemas"]["Transfer"];
export type TransferFile = components["schemas"]["TransferWithFiles"]["file_list"][number];
export type TransferPreview = components["schemas"]["Preview"];
export type TransferStatus = Transfer["status"];
export type FileState = TransferFile["state"];

export type Steering = "pause" | "resume" | "cancel" | "retry";

const TRANSFERS_PAGE = 50;
const FILES_PAGE = 500;

export interface TransferPage {
  transfers: Transfer[];
  after: string | null;
}

export interface FilePage {
  files: TransferFile[];
  after: number | null;
}

/** Return a page of transfers, newest first, of some statuses (comma-separated) or of any. */
export async function listTransfers(status: string, after: string | null): Promise<TransferPage> {
  const query = {
    limit: String(TRANSFERS_PAGE),
    ...(status !== "" && { status }),
    ...(after !== null && { after }),
  };
  const page = await answered(api.GET("/transfers", { params: { query } }));
  const last = page.transfers.at(-1);
  return { transfers: page.transfers, after: page.next === null ? null : (last?.id ?? null) };
}

/** Return a transfer without its files. */
export async function showTransfer(id: string): Promise<Transfer> {
  return answered(
    api.GET("/transfers/{transfer_id}", {
      params: { path: { transfer_id: id }, query: { limit: "0" } },
    }),
  );
}

/** Return a page of a transfer's files, in one state or (empty) in any. */
export async function listFiles(
  id: string,
  state: FileState | "",
  after: number | null,
  limit = FILES_PAGE,
): Promise<FilePage> {
  const query = {
    limit: String(limit),
    ...(state !== "" && { state }),
    ...(after !== null && { after: String(after) }),
  };
  const page = await answered(
    api.GET("/transfers/{transfer_id}", { params: { path: { transfer_id: id }, query } }),
  );
  const last = page.file_list.at(-1);
  return { files: page.file_list, after: page.next === null ? null : (last?.position ?? null) };
}

/**
 * Start a transfer of files, and of everything in folders.
 *
 * @throws ServiceError naming every source that cannot be transferred
 */
export async function startTransfer(
  sources: string[],
  bandwidth: number | null,
): Promise<Transfer> {
  const body = { media_files: sources, ...(bandwidth !== null && { bandwidth }) };
  return answered(api.POST("/transfers", { body }).then(withBadSources));
}

/**
 * Look at what a transfer of files, and of everything in folders, would take along.
 *
 * @throws ServiceError naming every source that cannot be transferred
 */
export async function previewTransfer(
  sources: string[],
  signal: AbortSignal,
): Promise<TransferPreview> {
  const body = { media_files: sources };
  return answered(api.POST("/transfers/preview", { body, signal }).then(withBadSources));
}

export async function steerTransfer(id: string, how: Steering): Promise<Transfer> {
  const params = { path: { transfer_id: id } };
  switch (how) {
    case "pause":
      return answered(api.POST("/transfers/{transfer_id}/pause", { params }));
    case "resume":
      return answered(api.POST("/transfers/{transfer_id}/resume", { params }));
    case "cancel":
      return answered(api.POST("/transfers/{transfer_id}/cancel", { params }));
    case "retry":
      return answered(api.POST("/transfers/{transfer_id}/retry", { params }));
  }
}

/** Limit a transfer to so many bytes per second; null for no limit. */
export async function limitTransfer(id: string, bandwidth: number | null): Promise<Transfer> {
  return answered(
    api.PATCH("/transfers/{transfer_id}", {
      params: { path: { transfer_id: id } },
      body: { bandwidth } as { bandwidth?: number },
    }),
  );
}

/** Return an answer; the sentence of a refusal is followed by what is wrong with each source. */
function withBadSources<T>(answer: Answer<T>): Answer<T> {
  const { error, media_files: bad } = (answer.error ?? {}) as {
    error?: string;
    media_files?: { error: string }[];
  };
  if (bad === undefined || bad.length < 2) return answer;
  return { ...answer, error: { error: [error, ...bad.map((one) => one.error)].join(" ") } };
}
