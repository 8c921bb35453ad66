import type { FolderEntry } from "~/api/folders";
import { isWithin } from "~/api/folders";

/** An entry that can be named, and so be chosen. */
export type Chosen = FolderEntry & { path: string };

/** Return what is chosen once an entry was added; what lies within a new folder is part of it. */
export function withEntry(chosen: Chosen[], entry: Chosen): Chosen[] {
  return [...chosen.filter(({ path }) => !isWithin(path, entry.path)), entry];
}

export function withoutPath(chosen: Chosen[], path: string): Chosen[] {
  return chosen.filter((one) => one.path !== path);
}

/** Tell whether an entry comes along because a folder that it is in was chosen. */
export function comesAlong(chosen: Chosen[], path: string): boolean {
  return chosen.some((one) => one.path !== path && isWithin(path, one.path));
}
