import { Table, UnstyledButton, VisuallyHidden } from "@mantine/core";
import { IconArrowDown, IconArrowUp } from "@tabler/icons-react";
import { memo } from "react";
import type { LibrarySearch, Sort } from "./search";
import classes from "./table.module.css";

type Field = "name" | "size" | "created_at";

export interface HeadProps {
  sort: Sort;
  change: (changed: Pick<LibrarySearch, "sort">) => void;
}

/** What the columns are, and which one the table is sorted by. */
export const TableHead = memo(function TableHead(sorting: HeadProps) {
  return (
    <Table.Thead className={classes.head}>
      <Table.Tr>
        <Table.Th className={classes.choice}>
          <VisuallyHidden>Choose</VisuallyHidden>
        </Table.Th>
        <Table.Th className={classes.thumbnail}>
          <VisuallyHidden>Picture</VisuallyHidden>
        </Table.Th>
        <SortHeading field="name" label="Name" {...sorting} />
        <Table.Th className={classes.tags}>Tags</Table.Th>
        <Table.Th className={classes.duration}>Length</Table.Th>
        <SortHeading field="size" label="Size" {...sorting} />
        <SortHeading field="created_at" label="Added" {...sorting} />
      </Table.Tr>
    </Table.Thead>
  );
});

/** The head of a column that the table can be sorted by; times and sizes begin with the most. */
function SortHeading({ field, label, sort, change }: HeadProps & { field: Field; label: string }) {
  const descending: Sort = `-${field}`;
  const first = field === "name" ? field : descending;
  const second = field === "name" ? descending : field;
  const Arrow = sort === descending ? IconArrowDown : IconArrowUp;
  const sorted = sort === field ? "ascending" : sort === descending ? "descending" : undefined;
  return (
    <Table.Th className={classes[field]} aria-sort={sorted}>
      <UnstyledButton
        className={classes.sort}
        onClick={() => change({ sort: sort === first ? second : first })}
      >
        {label}
        <Arrow size={14} aria-hidden className={sorted === undefined ? classes.unsorted : ""} />
      </UnstyledButton>
    </Table.Th>
  );
}
