import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { type RefObject, useEffect, useLayoutEffect, useState } from "react";

/** How many rows there are beyond what is seen, so that Tab and quick wheels find the next one. */
const OVERSCAN = 4;
/** So many screens before its end, the list asks for more. */
const SCREENS_AHEAD = 3;

interface RowsOptions {
  element: RefObject<HTMLElement | null>;
  count: number;
  /** Of each row with what is between it and the next, in pixels. */
  height: number;
  needMore: () => void;
}

/** The rows of a long list that are worth being in the page: from `start` to before `end`. */
export function useVirtualRows({ element, count, height, needMore }: RowsOptions) {
  const top = useTop(element);
  const virtualizer = useWindowVirtualizer({
    count,
    estimateSize: () => height,
    overscan: OVERSCAN,
    scrollMargin: top,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: all rows have changed with it
  useLayoutEffect(() => virtualizer.measure(), [virtualizer, height]);

  const rows = virtualizer.getVirtualItems();
  const start = rows[0]?.index ?? 0;
  const end = (rows.at(-1)?.index ?? -1) + 1;
  const ahead = Math.ceil((SCREENS_AHEAD * window.innerHeight) / height);
  useEffect(() => {
    if (count > 0 && end + ahead >= count) needMore();
  }, [end, ahead, count, needMore]);

  return { start, end, above: start * height, below: (count - end) * height };
}

/** How far below the top of the page an element begins, in pixels. */
function useTop(element: RefObject<HTMLElement | null>): number {
  const [top, setTop] = useState(0);
  useLayoutEffect(() => {
    function measure() {
      const begin = element.current?.getBoundingClientRect().top ?? 0;
      setTop(Math.round(begin + window.scrollY));
    }
    // What comes in between makes the page longer. To look while it scrolls would slow it down.
    const observer = new ResizeObserver(measure);
    observer.observe(document.body);
    measure();
    return () => observer.disconnect();
  }, [element]);
  return top;
}
