import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { useLayoutEffect, useRef, useState } from "react";
import type { UploadItem } from "~/uploads/types";
import classes from "./upload.module.css";
import { UploadRow } from "./upload-row";

const ROW_HEIGHT = 66;
const OVERSCAN = 6;

/** The queue's files; only those are in the page that can be seen. */
export function UploadList({ items }: { items: readonly UploadItem[] }) {
  const list = useRef<HTMLUListElement>(null);
  const [top, setTop] = useState(0);
  useLayoutEffect(() => {
    if (list.current === null) return;
    setTop(Math.round(list.current.getBoundingClientRect().top + window.scrollY));
  });
  const virtualizer = useWindowVirtualizer({
    count: items.length,
    estimateSize: () => ROW_HEIGHT,
    overscan: OVERSCAN,
    scrollMargin: top,
    getItemKey: (index) => items[index]?.id ?? index,
  });
  return (
    <ul
      ref={list}
      className={classes.list}
      style={{ height: virtualizer.getTotalSize() }}
      aria-label="Uploads"
    >
      {virtualizer.getVirtualItems().map(({ index, key, start }) => {
        const item = items[index];
        if (item === undefined) return null;
        return (
          <li
            key={key}
            className={classes.row}
            style={{ height: ROW_HEIGHT, transform: `translateY(${start - top}px)` }}
            aria-setsize={items.length}
            aria-posinset={index + 1}
          >
            <UploadRow item={item} />
          </li>
        );
      })}
    </ul>
  );
}
