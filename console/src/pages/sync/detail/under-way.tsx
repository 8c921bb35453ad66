import type { Operation } from "~/api/sync";
import { UnderWay } from "~/ui/under-way";

/** The large files of a sync that are being sent right now. */
export function FilesUnderWay({ operations }: { operations: Operation[] }) {
  const files = operations.map(({ key, bytes, size }) => ({
    path: key,
    name: key.slice(key.lastIndexOf("/") + 1),
    bytes,
    size,
  }));
  return <UnderWay files={files} />;
}
