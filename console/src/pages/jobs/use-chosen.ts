import { useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo } from "react";
import { type Chosen, chosenIn, DEFAULT_SORT, filtersOf, NO_FILTER } from "./filters";

/** The filters and the order of the list, which are in the page's address. */
export function useChosen() {
  const search = useSearch({ from: "/jobs" });
  const navigate = useNavigate({ from: "/jobs" });
  const chosen = useMemo(() => chosenIn(search), [search]);
  const filters = useMemo(() => filtersOf(chosen), [chosen]);
  const change = (changed: Record<string, string | undefined>) =>
    navigate({ search: (now) => ({ ...now, ...changed }), replace: true });
  return {
    chosen,
    filters,
    sort: String(search.sort ?? DEFAULT_SORT),
    choose: (changed: Chosen) => change(changed),
    clear: () => change(NO_FILTER),
    setSort: (sort: string) => change({ sort: sort === DEFAULT_SORT ? undefined : sort }),
  };
}
