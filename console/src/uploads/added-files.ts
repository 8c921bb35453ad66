import type { AddedFile } from "~/uploads/types";

/** Files as they are found, which in a large folder takes a while. */
export type FoundFiles = AsyncGenerator<AddedFile>;

/** Return what was dropped. The items are taken at once: they end with the event. */
export function droppedFiles(items: DataTransferItemList): FoundFiles {
  const found = Array.from(items)
    .filter(({ kind }) => kind === "file")
    .map((item) => ({
      handle: item.getAsFileSystemHandle?.().catch(() => null),
      entry: item.webkitGetAsEntry(),
      file: item.getAsFile(),
    }));
  return (async function* () {
    for (const { handle: promised, entry, file } of found) {
      const handle = await promised;
      if (handle) yield* filesOfHandle(handle, "", handle);
      else if (entry !== null) yield* filesOfEntry(entry, "");
      else if (file !== null) yield { file, folder: "", handle: null, permit: null };
    }
  })();
}

/** Return what was chosen in a form's field. */
export async function* chosenFiles(files: FileList): FoundFiles {
  for (const file of files) {
    yield { file, folder: parent(file.webkitRelativePath), handle: null, permit: null };
  }
}

export async function* filesOfHandles(handles: FileSystemFileHandle[]): FoundFiles {
  for (const handle of handles) yield* filesOfHandle(handle, "", handle);
}

/** Return a file, or all files of a folder and of those in it. */
export async function* filesOfHandle(
  handle: FileSystemFileHandle | FileSystemDirectoryHandle,
  folder: string,
  permit: FileSystemHandle,
): FoundFiles {
  if (handle.kind === "file") {
    const file = await handle.getFile().catch(() => null); // it may be gone by now
    if (file !== null) yield { file, folder, handle, permit };
    return;
  }
  const inside = join(folder, handle.name);
  for await (const child of handle.values()) yield* filesOfHandle(child, inside, permit);
}

async function* filesOfEntry(entry: FileSystemEntry, folder: string): FoundFiles {
  if (entry.isFile) {
    const read = (resolve: (file: File) => void, reject: () => void) =>
      (entry as FileSystemFileEntry).file(resolve, reject);
    const file = await new Promise<File>(read).catch(() => null);
    if (file !== null) yield { file, folder, handle: null, permit: null };
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const inside = join(folder, entry.name);
  while (true) {
    // A reader tells a hundred entries at a time, and none at the end.
    const read = (resolve: (entries: FileSystemEntry[]) => void, reject: () => void) =>
      reader.readEntries(resolve, reject);
    const entries = await new Promise<FileSystemEntry[]>(read).catch(() => []);
    if (entries.length === 0) return;
    for (const child of entries) yield* filesOfEntry(child, inside);
  }
}

function join(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}

function parent(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf("/"), 0));
}
