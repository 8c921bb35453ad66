import { CloseButton, Input, Popover, Skeleton } from "@mantine/core";
import { IconCalendar } from "@tabler/icons-react";
import { lazyRouteComponent } from "@tanstack/react-router";
import dayjs from "dayjs";
import { Suspense } from "react";
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
  const said = describe(since, until);
  return (
    <Popover position="bottom-start" shadow="md" trapFocus withinPortal>
      <Popover.Target>
        <Input
          component="button"
          type="button"
          pointer
          onPointerEnter={DateRange.preload}
          onFocus={DateRange.preload}
          leftSection={<IconCalendar size={16} aria-hidden />}
          rightSection={
            said !== null && (
              <CloseButton
                aria-label="Any date"
                size="sm"
                onClick={() => change({ since: null, until: null })}
              />
            )
          }
          rightSectionPointerEvents="all"
          flex="1 1 250px"
        >
          {said ?? <Input.Placeholder>Any date</Input.Placeholder>}
        </Input>
      </Popover.Target>
      <Popover.Dropdown>
        <Suspense fallback={<Skeleton h={280} w={400} />}>
          <DateRange
            value={[since, until]}
            setValue={([from, to]) => change({ since: from, until: to })}
          />
        </Suspense>
      </Popover.Dropdown>
    </Popover>
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
