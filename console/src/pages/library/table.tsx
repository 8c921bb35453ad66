import { Table } from "@mantine/core";
import { useEffect, useRef } from "react";
import type { ListProps } from "./list";
import { useVirtualRows } from "./rows";
import classes from "./table.module.css";
import { type HeadProps, TableHead } from "./table-head";
import { MediaRow, ROW_HEIGHT } from "./table-row";

interface TableProps extends ListProps, HeadProps {}

/** Medias as the rows of a table. Only those near to what is seen are in the page. */
export function MediaTable(props: TableProps) {
  const { medias, inSight, chosen, toggle, needMore, sort, change } = props;
  const body = useRef<HTMLTableSectionElement>(null);
  const rows = useVirtualRows({
    element: body,
    count: medias.length,
    height: ROW_HEIGHT,
    needMore,
  });
  const { start, end } = rows;
  useEffect(() => {
    inSight.current = Math.floor((start + end) / 2);
  }, [start, end, inSight]);

  return (
    <Table className={classes.table} aria-rowcount={medias.length + 1}>
      <TableHead sort={sort} change={change} />
      <Table.Tbody ref={body}>
        <Space height={rows.above} />
        {medias.slice(start, end).map((item, at) => (
          <MediaRow
            key={item.id}
            item={item}
            index={start + at}
            chosen={chosen.has(item.id)}
            toggle={toggle}
          />
        ))}
        <Space height={rows.below} />
      </Table.Tbody>
    </Table>
  );
}

/** Stands for the rows that are not in the page. */
function Space({ height }: { height: number }) {
  if (height === 0) return null;
  return (
    <tr aria-hidden>
      <td style={{ height, padding: 0 }} />
    </tr>
  );
}
