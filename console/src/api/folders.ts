import { answered, api } from "~/api/client";
import type { components } from "~/api/schema";

/** Which folders of the service's machine may be looked into: those of transfers or of syncs. */
export type FoldersOf = "transfers" | "sync";

export type Folder = components["schemas"]["FolderItems"];
export type FolderEntry = components["schemas"]["FolderItem"];

/** Return what is in a folder, an empty `path` standing for what is above all roots. */
export async function lookIntoFolder(
  of: FoldersOf,
  path: string,
  signal: AbortSignal,
): Promise<Folder> {
  return answered(api.GET("/system/folders", { params: { query: { of, path } }, signal }));
}

/** Return the path of a `file:///` URI for people; bytes that are no UTF-8 stay escaped. */
export function pathOf(uri: string): string {
  const path = uri.replace(/^file:\/\//, "");
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** Return the last name of a path: `2026` of `/srv/media/2026`. */
export function lastName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1) || path;
}

/** Tell whether a path is a folder itself or lies somewhere in it. */
export function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith("/") ? folder : `${folder}/`);
}
