import { type RefObject, useEffect, useLayoutEffect, useRef, useState } from "react";
import { MediaCard } from "./card";
import classes from "./grid.module.css";
import type { ListProps } from "./list";
import { useVirtualRows } from "./rows";

const LEAST_WIDTH = 200;
const GAP = 16;
const TEXT_HEIGHT = 60;

/** Medias as cards. Only those near to what is seen are in the page. */
export function MediaGrid({ medias, inSight, chosen, toggle, needMore }: ListProps) {
  const ref = useRef<HTMLUListElement>(null);
  const width = useWidth(ref);
  const least = width < 2 * LEAST_WIDTH + GAP ? 150 : LEAST_WIDTH;
  const columns = Math.max(Math.floor((width + GAP) / (least + GAP)), 1);
  const cardWidth = (width - (columns - 1) * GAP) / columns;
  const height = Math.round((cardWidth * 9) / 16) + TEXT_HEIGHT;
  const rows = useVirtualRows({
    element: ref,
    count: width === 0 ? 0 : Math.ceil(medias.length / columns),
    height: height + GAP,
    needMore,
  });
  const first = rows.start * columns;
  const end = rows.end * columns;
  useEffect(() => {
    inSight.current = Math.floor((first + end) / 2);
  }, [first, end, inSight]);

  return (
    <ul
      ref={ref}
      className={classes.grid}
      data-choosing={chosen.size > 0 || undefined}
      style={{
        paddingTop: rows.above,
        paddingBottom: rows.below,
        gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))`,
        gridAutoRows: height,
        gap: GAP,
      }}
    >
      {medias.slice(first, end).map((item, at) => (
        <li key={item.id}>
          <MediaCard item={item} index={first + at} chosen={chosen.has(item.id)} toggle={toggle} />
        </li>
      ))}
    </ul>
  );
}

/** The last width that there was, so that a page that is come back to is as long as it was left. */
let lastWidth = 0;

function useWidth(element: RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(lastWidth);
  useLayoutEffect(() => {
    const observer = new ResizeObserver(() => {
      lastWidth = element.current?.clientWidth ?? 0;
      setWidth(lastWidth);
    });
    if (element.current !== null) observer.observe(element.current);
    return () => observer.disconnect();
  }, [element]);
  return width;
}
