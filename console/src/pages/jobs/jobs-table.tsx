import { Checkbox, Group, Table, UnstyledButton, VisuallyHidden } from "@mantine/core";
import { IconArrowDown, IconArrowUp } from "@tabler/icons-react";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef, useState } from "react";
import type { Job } from "~/api/jobs";
import { reversed } from "./filters";
import { JobRow } from "./job-row";
import classes from "./jobs-table.module.css";
import type { Selection } from "./selection";

const ROW_HEIGHT = 54;
const HEADER_HEIGHT = 52;

const COLUMNS = [
  { field: "job_class", label: "Job", width: undefined, from: undefined },
  { field: "status", label: "Status", width: 112, from: "sm" },
  { field: "progress", label: "Progress", width: 150, from: "sm" },
  { field: "priority", label: "Priority", width: 84, from: "xl" },
  { field: "retry_count", label: "Retries", width: 84, from: "lg" },
  { field: "created_at", label: "Created", width: 132, from: "md" },
  { field: "updated_at", label: "Updated", width: 132, from: "lg" },
] as const;

/** The jobs, of which only the rows near the window are in the document. */
export function JobsTable(props: {
  jobs: Job[];
  sort: string;
  setSort: (sort: string) => void;
  selection: Selection;
  more: boolean;
  readMore: () => void;
}) {
  const { jobs, sort, setSort, selection, more, readMore } = props;
  const body = useRef<HTMLTableSectionElement>(null);
  const [top, setTop] = useState(0);
  useEffect(() => {
    // What is above the table grows and shrinks.
    const measure = () => setTop((body.current?.getBoundingClientRect().top ?? 0) + window.scrollY);
    const observer = new ResizeObserver(measure);
    observer.observe(document.body);
    measure();
    return () => observer.disconnect();
  }, []);
  const virtual = useWindowVirtualizer({
    count: jobs.length,
    estimateSize: () => ROW_HEIGHT,
    overscan: 12,
    scrollMargin: top,
    getItemKey: (index) => jobs[index]?.id ?? index,
    useFlushSync: false,
  });
  const rows = virtual.getVirtualItems();
  const last = rows.at(-1)?.index ?? 0;
  useEffect(() => {
    if (more && last >= jobs.length - 20) readMore();
  }, [more, last, jobs.length, readMore]);
  const above = (rows[0]?.start ?? top) - top;
  const below = virtual.getTotalSize() - ((rows.at(-1)?.end ?? top) - top);

  return (
    <Table
      stickyHeader
      stickyHeaderOffset={HEADER_HEIGHT}
      verticalSpacing={6}
      className={classes.table}
      aria-label="Jobs"
      aria-rowcount={more ? -1 : jobs.length + 1}
    >
      <Table.Thead>
        <Table.Tr>
          <Table.Th w={44}>
            <Checkbox
              aria-label="Select all jobs in the list"
              checked={selection.whole}
              indeterminate={!selection.whole && selection.ids.size > 0}
              onChange={selection.toggleWhole}
            />
          </Table.Th>
          {COLUMNS.map(({ field, label, width, from }) => (
            <Table.Th
              key={field}
              w={width}
              visibleFrom={from}
              aria-sort={sortedAs(field, sort)}
              scope="col"
            >
              <SortButton {...{ field, label, sort, setSort }} />
            </Table.Th>
          ))}
          <Table.Th w={52}>
            <VisuallyHidden>What can be done</VisuallyHidden>
          </Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody ref={body}>
        <Gap height={above} />
        {rows.map(({ key, index }) => {
          const job = jobs[index];
          return (
            job !== undefined && (
              <JobRow
                key={key}
                job={job}
                index={index}
                measure={virtual.measureElement}
                selected={selection.everything || selection.ids.has(job.id)}
                toggle={selection.toggle}
              />
            )
          );
        })}
        <Gap height={below} />
      </Table.Tbody>
    </Table>
  );
}

function Gap({ height }: { height: number }) {
  if (height <= 0) return null;
  return <tr aria-hidden style={{ height }} />;
}

function SortButton(props: {
  field: string;
  label: string;
  sort: string;
  setSort: (sort: string) => void;
}) {
  const { field, label, sort, setSort } = props;
  const sorted = sortedAs(field, sort);
  const Arrow = sorted === "descending" ? IconArrowDown : IconArrowUp;
  return (
    <UnstyledButton
      className={classes.sort}
      onClick={() => setSort(sorted === undefined ? `-${field}` : reversed(sort))}
    >
      <Group gap={4} wrap="nowrap">
        {label}
        {sorted !== undefined && <Arrow size={14} aria-hidden />}
      </Group>
    </UnstyledButton>
  );
}

function sortedAs(field: string, sort: string): "ascending" | "descending" | undefined {
  if (sort === field) return "ascending";
  return sort === `-${field}` ? "descending" : undefined;
}
