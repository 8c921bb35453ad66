import { useQuery } from "@tanstack/react-query";
import { type FoldersOf, lookIntoFolder } from "~/api/folders";

/** What is in a folder; an empty `path` is the only root there is, or the list of all. */
export function useFolder(of: FoldersOf, path: string) {
  const above = useQuery({
    queryKey: ["folders", of, ""],
    queryFn: ({ signal }) => lookIntoFolder(of, "", signal),
  });
  const roots = above.data?.roots ?? [];
  const opened = path === "" && roots.length === 1 ? (roots[0] ?? "") : path;
  const inside = useQuery({
    queryKey: ["folders", of, opened],
    queryFn: ({ signal }) => lookIntoFolder(of, opened, signal),
    enabled: opened !== "",
  });
  return { roots, opened, shown: opened === "" ? above : inside };
}
