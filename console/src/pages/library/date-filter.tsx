import { CloseButton } from "@mantine/core";
import { IconCalendar } from "@tabler/icons-react";
import { lazyRouteComponent } from "@tanstack/react-router";
import dayjs from "dayjs";
import { FilterPopover } from "./filter-popover";
import type { LibrarySearch } from "./search";

// Not React's own `lazy`: after an upgrade the part is not there any more, and this one loads the
// page anew then.
const DateRange = lazyRouteComponent(() => import("./date-range"));

interface DateProps {
  search: LibrarySearch;
  change: (changed: Partial<LibrarySearch>) => void;
}

/** Between which days medias must have come. */
export function DateFilter({ search, change }: DateProps) {
  const { since, until } = search;
  return (
    <FilterPopover
      icon={<IconCalendar size={16} aria-hidden />}
      said={describe(since, until)}
      placeholder="Any date"
      preload={DateRange.preload}
      clear={
        <CloseButton
          aria-label="Any date"
          size="sm"
          onClick={() => change({ since: null, until: null })}
        />
      }
      flex="1 1 250px"
      loading={{ h: 280, w: 400 }}
    >
      <DateRange
        value={[since, until]}
        setValue={([from, to]) => change({ since: from, until: to })}
      />
    </FilterPopover>
  );
}

function describe(since: string | null, until: string | null): string | null {
  if (since !== null && until !== null) return `${day(since)} – ${day(until)}`;
  if (since !== null) return `From ${day(since)}`;
  if (until !== null) return `Until ${day(until)}`;
  return null;
}

function day(date: string): string {
  return dayjs(date).format("D MMM YY");
}
