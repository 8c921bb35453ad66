import { Button, Text } from "@mantine/core";
import { IconFilterOff, IconListDetails } from "@tabler/icons-react";
import { countOf } from "~/ui/format";
import { Loading } from "~/ui/loading";
import { PageHeader } from "~/ui/page-header";
import { EmptyState, ErrorState } from "~/ui/states";
import { BulkBar } from "./bulk-bar";
import { FilterBar } from "./filter-bar";
import { JobsTable } from "./jobs-table";
import { useLiveJobs } from "./live";
import { useJobCount, useJobs } from "./queries";
import { useSelection } from "./selection";
import { useChosen } from "./use-chosen";

/** Every job: looked for, watched, and steered one by one or many at once. */
export default function JobsPage() {
  const { chosen, filters, sort, choose, clear, setSort } = useChosen();
  const list = useJobs(filters, sort);
  const count = useJobCount(filters);
  useLiveJobs(filters, sort);
  const jobs = list.data?.pages.flatMap((page) => page.jobs) ?? [];
  const selection = useSelection(jobs, JSON.stringify(filters));
  return (
    <>
      <PageHeader
        title="Jobs"
        about="Everything that takes longer than a moment. A job survives crashes and goes on where it was."
      >
        {count.data !== undefined && (
          <Text c="dimmed" size="sm" role="status">
            {countOf(count.data, "job")}
          </Text>
        )}
      </PageHeader>
      <FilterBar {...{ chosen, choose, clear, sort, setSort }} />
      {list.isPending && <Loading rows={8} />}
      {list.isError && <ErrorState error={list.error} retry={() => list.refetch()} />}
      {list.isSuccess && jobs.length === 0 && (
        <NoJobs clear={Object.keys(chosen).length > 0 ? clear : null} />
      )}
      {jobs.length > 0 && (
        <>
          <JobsTable
            jobs={jobs}
            sort={sort}
            setSort={setSort}
            selection={selection}
            more={list.hasNextPage}
            readMore={() => !list.isFetchingNextPage && !list.isError && list.fetchNextPage()}
          />
          <BulkBar selection={selection} filters={filters} count={count.data} />
        </>
      )}
    </>
  );
}

function NoJobs({ clear }: { clear: (() => void) | null }) {
  if (clear !== null) {
    return (
      <EmptyState
        icon={IconFilterOff}
        title="No job is like that"
        action={
          <Button variant="light" onClick={clear}>
            Show all jobs
          </Button>
        }
      >
        Choose fewer filters, or wait: a job that fits them appears here by itself.
      </EmptyState>
    );
  }
  return (
    <EmptyState icon={IconListDetails} title="Nothing has been done yet">
      Transfers, syncs, recordings and the looking into new medias are jobs. They appear here as
      they begin.
    </EmptyState>
  );
}
