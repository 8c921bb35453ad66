import { useDebouncedCallback } from "@mantine/hooks";
import { useEffect, useRef, useState } from "react";

const WAIT_MILLISECONDS = 250;

/** What somebody types, which becomes the value once they pause. */
export function useDraft<T>(value: T, setValue: (value: T) => void) {
  const [draft, setDraft] = useState(value);
  const sent = useRef(value);
  const send = useDebouncedCallback((typed: T) => {
    sent.current = typed;
    setValue(typed);
  }, WAIT_MILLISECONDS);

  // Another value than the one that was typed comes from elsewhere, such as another address.
  useEffect(() => {
    if (value === sent.current) return;
    sent.current = value;
    setDraft(value);
  }, [value]);

  function type(typed: T) {
    setDraft(typed);
    send(typed);
  }
  return [draft, type] as const;
}
