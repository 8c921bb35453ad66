import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback, useMemo } from "react";
import type { LibraryKind, LibraryParameters } from "~/api/library";
import type { Search } from "~/app/router";
import { MEDIA_KINDS } from "~/ui/media-kind";

export const SORTS = {
  "-created_at": "Newest first",
  created_at: "Oldest first",
  name: "Name, A to Z",
  "-name": "Name, Z to A",
  "-size": "Largest first",
  size: "Smallest first",
} as const;

export type Sort = keyof typeof SORTS;

/** What is looked for. Days are local ones (`2026-11-21`), sizes in bytes. */
export interface LibrarySearch {
  q: string;
  tags: string[];
  kinds: LibraryKind[];
  since: string | null;
  until: string | null;
  minSize: number | null;
  maxSize: number | null;
  sort: Sort;
}

const NOTHING: Search = {
  q: undefined,
  tag: undefined,
  kind: undefined,
  since: undefined,
  until: undefined,
  min_size: undefined,
  max_size: undefined,
};

/** The search that the address of the page holds, and how to change it. */
export function useLibrarySearch() {
  const written = useSearch({ from: "/library" });
  const navigate = useNavigate({ from: "/library" });
  const search = useMemo(() => readSearch(written), [written]);
  const change = useCallback(
    (changed: Partial<LibrarySearch>) =>
      navigate({
        search: (before) => ({ ...before, ...writeSearch({ ...readSearch(before), ...changed }) }),
        replace: true,
      }),
    [navigate],
  );
  const clear = useCallback(
    () => navigate({ search: (before) => ({ ...before, ...NOTHING }), replace: true }),
    [navigate],
  );
  return { search, change, clear };
}

/** Tell how many filters there are; the order is none. */
export function countFilters(search: LibrarySearch): number {
  const { q, tags, kinds, since, until, minSize, maxSize } = search;
  return [
    q !== "",
    tags.length > 0,
    kinds.length > 0,
    since !== null || until !== null,
    minSize !== null || maxSize !== null,
  ].filter(Boolean).length;
}

/** Return the parameters that the service is asked with. */
export function parametersOf(search: LibrarySearch): LibraryParameters {
  const { q, tags, kinds, since, until, minSize, maxSize, sort } = search;
  return {
    q: q || undefined,
    tag: tags.length > 0 ? tags : undefined,
    kind: kinds.length > 0 ? kinds : undefined,
    since: since === null ? undefined : new Date(`${since}T00:00:00`).toISOString(),
    until: until === null ? undefined : new Date(`${until}T23:59:59.999`).toISOString(),
    min_size: minSize?.toString(),
    max_size: maxSize?.toString(),
    sort,
  };
}

function readSearch(written: Search): LibrarySearch {
  const sort = String(written.sort);
  return {
    q: written.q === undefined ? "" : String(written.q),
    tags: texts(written.tag),
    kinds: texts(written.kind).filter((kind): kind is LibraryKind => kind in MEDIA_KINDS),
    since: day(written.since),
    until: day(written.until),
    minSize: size(written.min_size),
    maxSize: size(written.max_size),
    sort: sort in SORTS ? (sort as Sort) : "-created_at",
  };
}

function writeSearch(search: LibrarySearch): Search {
  return {
    q: search.q || undefined,
    tag: oneOrMore(search.tags),
    kind: oneOrMore(search.kinds),
    since: search.since ?? undefined,
    until: search.until ?? undefined,
    min_size: search.minSize ?? undefined,
    max_size: search.maxSize ?? undefined,
    sort: search.sort === "-created_at" ? undefined : search.sort,
  };
}

type Written = Search[string];

function texts(written: Written): string[] {
  if (written === undefined) return [];
  return [...new Set((Array.isArray(written) ? written : [written]).map(String))];
}

function oneOrMore(values: string[]): Written {
  return values.length > 1 ? values : values[0];
}

function day(written: Written): string | null {
  const text = String(written);
  return /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text)) ? text : null;
}

function size(written: Written): number | null {
  const bytes = Number(written);
  return written !== undefined && Number.isSafeInteger(bytes) && bytes >= 0 ? bytes : null;
}
