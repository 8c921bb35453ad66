import { useUnderWay } from "~/pages/sync/queries";
import { UnderWay } from "~/ui/under-way";

/** The large files of a sync that are being sent right now. */
export function FilesUnderWay({ id, moving }: { id: number; moving: boolean }) {
  const files = useUnderWay(id, moving).map(({ key, bytes, size }) => ({
    path: key,
    name: key.slice(key.lastIndexOf("/") + 1),
    bytes,
    size,
  }));
  return <UnderWay files={files} />;
}
