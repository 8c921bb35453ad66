import { useEffect, useRef, useState } from "react";

const PATIENCE_MILLISECONDS = 400;

/** A value while it is typed: `commit` gets it once nobody has typed for a moment. */
export function useDraft<T extends string | number>(
  value: T,
  commit: (value: T) => void,
): [T, (value: T) => void] {
  const [draft, setDraft] = useState(value);
  const waiting = useRef<number>(undefined);
  useEffect(() => setDraft(value), [value]);
  useEffect(() => () => window.clearTimeout(waiting.current), []);
  const change = (next: T) => {
    setDraft(next);
    window.clearTimeout(waiting.current);
    waiting.current = window.setTimeout(() => commit(next), PATIENCE_MILLISECONDS);
  };
  return [draft, change];
}
