import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useState } from "react";
import type { LibraryItems, LibraryParameters } from "~/api/library";
import { useLibraryChanges } from "~/api/library-changes";
import { findFirst } from "./queries";
import { type Pages, pagesKey, withReplaced } from "./shown";

/** So far from its top, in pixels, the page counts as read from there. */
const NEAR_THE_TOP = 120;

interface News {
  parameters: LibraryParameters;
  first: LibraryItems;
  /** How many medias have come in at the top. */
  count: number;
}

/**
 * Keep the list as it is in the library, without moving what somebody looks at.
 *
 * New medias are shown at once at the top of the page; further down they are `news`, until `show`
 * is called.
 */
export function useLiveMedias(parameters: LibraryParameters) {
  const client = useQueryClient();
  const [news, setNews] = useState<News | null>(null);

  const begin = useCallback(
    (first: LibraryItems) => {
      setNews(null);
      client.setQueryData<Pages>(pagesKey(parameters), { pages: [first], pageParams: [null] });
    },
    [client, parameters],
  );

  const look = useCallback(async () => {
    const key = pagesKey(parameters);
    if (client.getQueryData<Pages>(key) === undefined) return;
    const first = await findFirst(parameters);
    const shown = client.getQueryData<Pages>(key);
    if (shown === undefined) return;
    if (window.scrollY < NEAR_THE_TOP) {
      begin(first);
      return;
    }
    const count = countNew(first, shown);
    if (count > 0) setNews({ parameters, first, count });
    const [top, ...rest] = withReplaced(shown.pages, first.items);
    if (top === undefined) return;
    client.setQueryData<Pages>(key, { ...shown, pages: [{ ...top, count: first.count }, ...rest] });
  }, [client, parameters, begin]);

  useLibraryChanges(look);

  const current = news?.parameters === parameters ? news : null;
  const show = () => {
    if (current === null) return;
    window.scrollTo({ top: 0 });
    begin(current.first);
  };
  return { news: current?.count ?? 0, show };
}

/** Return how many medias of the first page stand before ones that are shown already. */
function countNew(first: LibraryItems, shown: Pages): number {
  const ids = new Set(shown.pages.flatMap((page) => page.items.map((item) => item.id)));
  const known = first.items.findLastIndex((item) => ids.has(item.id));
  const before = known < 0 ? first.items : first.items.slice(0, known);
  return before.filter((item) => !ids.has(item.id)).length;
}
