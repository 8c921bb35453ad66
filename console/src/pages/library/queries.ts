import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useSyncExternalStore } from "react";
import { findMedias, type LibraryParameters } from "~/api/library";
import { deletions } from "~/medias/deletions";
import { pagesKey, useShownMedias } from "./shown";

const FIRST_PAGE = "60";
const NEXT_PAGE = "200";

/** Ask for the beginning of what is looked for. */
export function findFirst(parameters: LibraryParameters, signal?: AbortSignal) {
  return findMedias({ ...parameters, limit: FIRST_PAGE }, signal);
}

/** Ask for what comes after another page. */
export function findNext(parameters: LibraryParameters, cursor: string, signal?: AbortSignal) {
  return findMedias({ ...parameters, limit: NEXT_PAGE, cursor }, signal);
}

/** The medias that pass the filters, as many as have been scrolled to. */
export function useMedias(parameters: LibraryParameters) {
  const query = useInfiniteQuery({
    queryKey: pagesKey(parameters),
    queryFn: ({ pageParam, signal }) =>
      pageParam === null ? findFirst(parameters, signal) : findNext(parameters, pageParam, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    placeholderData: keepPreviousData,
    // To ask again would ask for all pages; what changes is heard of instead.
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  });
  const { remove } = useShownMedias();
  const deleted = useSyncExternalStore(deletions.watch, () => deletions.deleted);
  useEffect(() => remove(deleted), [deleted, remove]);

  const pending = useSyncExternalStore(deletions.watch, () => deletions.pending);
  const all = useMemo(() => query.data?.pages.flatMap((page) => page.items) ?? [], [query.data]);
  const medias = useMemo(() => all.filter((item) => !pending.has(item.id)), [all, pending]);
  const [first] = query.data?.pages ?? [];
  const counted = first?.count ?? null;
  return {
    query,
    medias,
    first,
    count: counted === null ? null : counted - (all.length - medias.length),
  };
}
