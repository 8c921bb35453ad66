import { useQueryClient } from "@tanstack/react-query";
import { type RefObject, useCallback, useState } from "react";
import type { LibraryItems, LibraryParameters } from "~/api/library";
import { useLibraryChanges } from "~/api/library-changes";
import { findFirst, findNext } from "./queries";
import { type Pages, pageAt, pagesKey, withReread } from "./shown";

/** So far from its top, in pixels, the page counts as read from there. */
const NEAR_THE_TOP = 120;

type Cursors = Pages["pageParams"];

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
 * is called. There the page that has the media at the place `inSight` is kept as it is, too.
 */
export function useLiveMedias(parameters: LibraryParameters, inSight: RefObject<number>) {
  const client = useQueryClient();
  const [news, setNews] = useState<News | null>(null);

  const begin = useCallback(
    (first: LibraryItems) => {
      setNews(null);
      client.setQueryData<Pages>(pagesKey(parameters), { pages: [first], pageParams: [null] });
    },
    [client, parameters],
  );

  const put = useCallback(
    (
      key: readonly unknown[],
      change: (pages: LibraryItems[], cursors: Cursors) => LibraryItems[],
    ) =>
      client.setQueryData<Pages>(
        key,
        (now) => now && { ...now, pages: change(now.pages, now.pageParams) },
      ),
    [client],
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
    put(key, (pages) => {
      const [top, ...rest] = withReread(pages, 0, first);
      return top === undefined ? pages : [{ ...top, count: first.count }, ...rest];
    });
    const at = pageAt(shown.pages, inSight.current);
    const cursor = shown.pageParams[at];
    if (!cursor) return;
    const again = await findNext(parameters, cursor);
    put(key, (pages, cursors) => (cursors[at] === cursor ? withReread(pages, at, again) : pages));
  }, [client, parameters, begin, put, inSight]);

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
