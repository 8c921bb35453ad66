const READ: PermissionWish = { mode: "read" };

/** Tell whether the browser gives what a handle stands for without asking anybody. */
export async function isPermitted(handle: FileSystemHandle): Promise<boolean> {
  return (await handle.queryPermission?.(READ)) === "granted";
}

/** Let the browser ask for permission, as it does only just after a click. */
export async function isPermittedNow(handle: FileSystemHandle): Promise<boolean> {
  try {
    return (await handle.requestPermission?.(READ)) === "granted";
  } catch {
    return false; // the click is too long ago
  }
}

/** Tell whether a file's bytes can be read: it may have been changed or moved away meanwhile. */
export async function isReadable(file: File): Promise<boolean> {
  try {
    await file.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

/** Return the file that a handle stands for, null when it is not the same any more. */
export async function readAgain(
  handle: FileSystemFileHandle,
  { size, lastModified }: { size: number; lastModified: number },
): Promise<File | null> {
  const file = await handle.getFile().catch(() => null);
  return file?.size === size && file.lastModified === lastModified ? file : null;
}
