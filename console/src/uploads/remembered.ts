import { Table } from "~/local/database";
import { owning, takeOver, thisWindow } from "~/local/ownership";
import type { UploadItem } from "~/uploads/types";

/** An upload that is not finished, as the browser keeps it over a reload. */
export interface RememberedUpload
  extends Pick<
    UploadItem,
    "id" | "name" | "folder" | "size" | "type" | "lastModified" | "tags" | "sent" | "url"
  > {
  owner: string;
  paused: boolean;
  handle: FileSystemFileHandle | null;
  permit: FileSystemHandle | null;
}

const WRITE_MILLISECONDS = 500;
/** So many are written at once: more would keep the page from drawing. */
const BATCH = 250;
const table = new Table<RememberedUpload>("uploads");

/** Keeps the uploads of this window; many changes are written as one. */
export class UploadMemory {
  private readonly changes = new Map<string, RememberedUpload | null>();
  private timer: number | undefined;

  keep(upload: Omit<RememberedUpload, "owner">): void {
    this.change(upload.id, { ...upload, owner: thisWindow });
  }

  forget(id: string): void {
    this.change(id, null);
  }

  private change(id: string, upload: RememberedUpload | null): void {
    this.changes.set(id, upload);
    this.timer ??= window.setTimeout(() => void this.write(), WRITE_MILLISECONDS);
  }

  private async write(): Promise<void> {
    await owning;
    while (this.changes.size > 0) {
      const batch = [...this.changes].slice(0, BATCH);
      for (const [id] of batch) this.changes.delete(id);
      // A browser that keeps nothing uploads as well; only a reload begins anew.
      await table
        .change(
          batch.flatMap(([, upload]) => upload ?? []),
          batch.flatMap(([id, upload]) => (upload === null ? id : [])),
        )
        .catch(() => {});
    }
    this.timer = undefined;
  }
}

/** Call `adopt` with the uploads that each window which is gone has left behind. */
export async function recallUploads(adopt: (uploads: RememberedUpload[]) => void): Promise<void> {
  const owners = await table.all().then(
    (all) => all.map(({ owner }) => owner),
    () => [],
  );
  takeOver(owners, async (owner) => {
    const left = await table.where("owner", owner);
    await table.change(left.map((upload) => ({ ...upload, owner: thisWindow })));
    adopt(left);
  });
}
