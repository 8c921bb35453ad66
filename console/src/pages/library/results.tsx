import { type RefObject, useCallback } from "react";
import { Loading } from "~/ui/loading";
import { ErrorState } from "~/ui/states";
import { MediaGrid } from "./grid";
import { EmptyLibrary, ListEnd, NothingFound } from "./list";
import type { useMedias } from "./queries";
import { countFilters, type LibrarySearch } from "./search";
import type { useSelection } from "./selection";
import { MediaTable } from "./table";
import type { View } from "./toolbar";

interface ResultsProps {
  found: ReturnType<typeof useMedias>;
  inSight: RefObject<number>;
  selection: ReturnType<typeof useSelection>;
  view: View;
  search: LibrarySearch;
  change: (changed: Partial<LibrarySearch>) => void;
  clear: () => void;
}

/** The medias that were found, or why there are none. */
export function Results(props: ResultsProps) {
  const { found, inSight, selection, view, search, change, clear } = props;
  const { query, medias } = found;
  const { fetchNextPage, hasNextPage, isFetching, isError } = query;
  const needMore = useCallback(() => {
    if (hasNextPage && !isFetching && !isError) fetchNextPage();
  }, [fetchNextPage, hasNextPage, isFetching, isError]);

  if (query.isPending)
    return <Loading rows={view === "grid" ? 3 : 8} height={view === "grid" ? 190 : 50} />;
  if (query.isLoadingError) return <ErrorState error={query.error} retry={query.refetch} />;
  if (medias.length === 0) {
    return countFilters(search) > 0 ? <NothingFound clear={clear} /> : <EmptyLibrary />;
  }
  const { chosen, toggle } = selection;
  const list = { medias, inSight, chosen, toggle, needMore };
  return (
    <div style={{ opacity: query.isPlaceholderData ? 0.5 : 1 }} aria-busy={query.isPlaceholderData}>
      {view === "grid" ? (
        <MediaGrid {...list} />
      ) : (
        <MediaTable {...list} sort={search.sort} change={change} />
      )}
      <ListEnd loading={query.isFetchingNextPage} error={query.error} retry={fetchNextPage} />
    </div>
  );
}
