import { type InfiniteData, type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useMemo } from "react";
import type { LibraryItem, LibraryItems, LibraryParameters } from "~/api/library";

export type Pages = InfiniteData<LibraryItems, string | null>;

const PAGES = ["library", "pages"];

export function pagesKey(parameters: LibraryParameters) {
  return [...PAGES, parameters];
}

/** How to change what is shown of medias, wherever they are listed, without asking again. */
export function useShownMedias() {
  const client = useQueryClient();
  return useMemo(
    () => ({
      /** Show these as they are now. */
      replace: (items: LibraryItem[]) => change(client, (pages) => withReplaced(pages, items)),
      /** Show these no more. */
      remove: (ids: ReadonlySet<string>) => change(client, (pages) => without(pages, ids)),
    }),
    [client],
  );
}

function change(client: QueryClient, changed: (pages: LibraryItems[]) => LibraryItems[]): void {
  client.setQueriesData<Pages>(
    { queryKey: PAGES },
    (data) => data && { ...data, pages: changed(data.pages) },
  );
}

/** Return pages with newer versions of some of their medias. */
export function withReplaced(pages: LibraryItems[], items: LibraryItem[]): LibraryItems[] {
  const newer = new Map(items.map((item) => [item.id, item]));
  return pages.map((page) =>
    page.items.some((item) => newer.has(item.id))
      ? { ...page, items: page.items.map((item) => newer.get(item.id) ?? item) }
      : page,
  );
}

/**
 * Return pages of which one was read again: what changed is new in it, and what is gone is not.
 *
 * What stands behind all that it still has may only have been pushed out by what has come in.
 */
export function withReread(pages: LibraryItems[], at: number, again: LibraryItems): LibraryItems[] {
  const page = pages[at];
  if (page === undefined) return pages;
  const newer = new Map(again.items.map((item) => [item.id, item]));
  const last = page.items.findLastIndex(({ id }) => newer.has(id));
  const items = page.items
    .filter(({ id }, index) => index > last || newer.has(id))
    .map((item) => newer.get(item.id) ?? item);
  return pages.with(at, { ...page, items });
}

/** Return which page has the media that is at a place of the list. */
export function pageAt(pages: LibraryItems[], place: number): number {
  let end = 0;
  return pages.findIndex(({ items }) => {
    end += items.length;
    return place < end;
  });
}

function without(pages: LibraryItems[], ids: ReadonlySet<string>): LibraryItems[] {
  const lengths = (all: LibraryItems[]) => all.reduce((sum, page) => sum + page.items.length, 0);
  const left = pages.map((page) =>
    page.items.some((item) => ids.has(item.id))
      ? { ...page, items: page.items.filter((item) => !ids.has(item.id)) }
      : page,
  );
  const gone = lengths(pages) - lengths(left);
  return left.map((page) =>
    page.count !== null && page.count_is_exact && gone > 0
      ? { ...page, count: page.count - gone }
      : page,
  );
}
