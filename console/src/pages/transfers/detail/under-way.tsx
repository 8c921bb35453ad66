import { lastName, pathOf } from "~/api/folders";
import { useFilesUnderWay } from "~/pages/transfers/queries";
import { UnderWay } from "~/ui/under-way";

/** The files of a transfer that are being sent right now. */
export function FilesUnderWay({ id, moving }: { id: string; moving: boolean }) {
  const files = useFilesUnderWay(id, moving).map(({ uri, bytes, size }) => {
    const path = pathOf(uri);
    return { path, name: lastName(path), bytes, size };
  });
  return <UnderWay files={files} />;
}
