/** File System Access, which Chromium has and TypeScript does not describe. */

type PermissionWish = { mode: "read" };

interface FileSystemHandle {
  queryPermission?(wish: PermissionWish): Promise<PermissionState>;
  requestPermission?(wish: PermissionWish): Promise<PermissionState>;
}

interface FileSystemDirectoryHandle {
  values(): AsyncIterableIterator<FileSystemFileHandle | FileSystemDirectoryHandle>;
}

interface DataTransferItem {
  getAsFileSystemHandle?(): Promise<FileSystemFileHandle | FileSystemDirectoryHandle | null>;
}

interface Window {
  showOpenFilePicker?(options: { multiple: boolean }): Promise<FileSystemFileHandle[]>;
  showDirectoryPicker?(): Promise<FileSystemDirectoryHandle>;
}
