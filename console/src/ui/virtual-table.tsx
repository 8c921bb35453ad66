import { Table } from "@mantine/core";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useEffect, useRef } from "react";
import classes from "./virtual-table.module.css";

/** A column; `phone: false` leaves it out on small screens, and so must the cells. */
export interface Column {
  name: string;
  width?: number | string;
  align?: "right";
  phone?: boolean;
}

interface Props<Row> {
  label: string;
  columns: Column[];
  rows: Row[];
  keyOf: (row: Row) => string | number;
  /** The cells of a row, one `Table.Td` for each column. */
  children: (row: Row) => ReactNode;
  rowHeight?: number;
  maxHeight?: number;
  /** Called when the end of the rows comes into sight. */
  onEnd?: () => void;
}

/** A table in a frame of its own that scrolls; only the rows in sight are in the document. */
export function VirtualTable<Row>(props: Props<Row>) {
  const { label, columns, rows, keyOf, children, rowHeight = 42, maxHeight = 480, onEnd } = props;
  const frame = useRef<HTMLElement>(null);
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => frame.current,
    estimateSize: () => rowHeight,
    getItemKey: (index) => keyOf(rows[index] as Row),
    overscan: 8,
  });
  const shown = virtualizer.getVirtualItems();
  const first = shown[0];
  const last = shown.at(-1);
  const lastIndex = last?.index ?? -1;

  useEffect(() => {
    if (lastIndex >= rows.length - 1) onEnd?.();
  }, [lastIndex, rows.length, onEnd]);

  return (
    <section
      ref={frame}
      aria-label={label}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
      tabIndex={0}
      className={classes.frame}
      style={{ maxHeight }}
    >
      <Table
        stickyHeader
        className={classes.table}
        aria-label={label}
        aria-rowcount={rows.length + 1}
        verticalSpacing={6}
      >
        <Table.Thead>
          <Table.Tr>
            {columns.map(({ name, width, align, phone }) => (
              <Table.Th
                key={name}
                w={width}
                ta={align}
                visibleFrom={phone === false ? "sm" : undefined}
              >
                {name}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          <Spacer height={first?.start ?? 0} />
          {shown.map(({ index, key }) => (
            <Table.Tr
              key={key}
              ref={virtualizer.measureElement}
              data-index={index}
              aria-rowindex={index + 2}
            >
              {children(rows[index] as Row)}
            </Table.Tr>
          ))}
          <Spacer height={virtualizer.getTotalSize() - (last?.end ?? 0)} />
        </Table.Tbody>
      </Table>
    </section>
  );
}

/** What stands for the rows that are out of sight. */
function Spacer({ height }: { height: number }) {
  return height > 0 ? <tr aria-hidden style={{ height }} /> : null;
}
