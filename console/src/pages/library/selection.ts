import { useCallback, useEffect, useRef, useState } from "react";
import type { LibraryItem } from "~/api/library";

export type Chosen = ReadonlyMap<string, LibraryItem>;

const NONE: Chosen = new Map();

/** The medias that are chosen, to do something with all of them. */
export function useSelection(medias: LibraryItem[]) {
  const [chosen, setChosen] = useState<Chosen>(NONE);
  const listed = useRef(medias);
  const last = useRef<string | null>(null);
  useEffect(() => {
    listed.current = medias;
  });

  /** Choose a media or not; with `range`, all from the last one that was chosen do the same. */
  const toggle = useCallback((index: number, range: boolean) => {
    const toggled = listed.current[index];
    if (toggled === undefined) return;
    const from = range ? listed.current.findIndex((item) => item.id === last.current) : -1;
    const [start, end] = from < 0 ? [index, index] : [Math.min(from, index), Math.max(from, index)];
    const items = listed.current.slice(start, end + 1);
    last.current = toggled.id;
    setChosen((before) => {
      const after = new Map(before);
      const choose = !before.has(toggled.id);
      for (const item of items) {
        if (choose) after.set(item.id, item);
        else after.delete(item.id);
      }
      return after;
    });
  }, []);

  const clear = useCallback(() => {
    last.current = null;
    setChosen(NONE);
  }, []);

  return { chosen, toggle, clear };
}
