import { useEffect, useRef } from "react";

const RETRY_MILLISECONDS = 2_000;

/**
 * Call `look` after every change of the library while the page is seen, and when it is seen again.
 *
 * It is not called again before it has ended.
 */
export function useLibraryChanges(look: () => Promise<void>): void {
  const latest = useRef(look);
  useEffect(() => {
    latest.current = look;
  });
  useEffect(() => watchLibrary(inTurn(() => latest.current())), []);
}

/** Return a function that does `act`, and once more when it was called meanwhile. */
function inTurn(act: () => Promise<void>): () => Promise<void> {
  let acting = false;
  let again = false;
  return async () => {
    again = true;
    if (acting) return;
    acting = true;
    while (again) {
      again = false;
      // What could not be asked is asked with the next change; that the service is away is said
      // for all pages together.
      await act().catch(() => {});
    }
    acting = false;
  };
}

/** Listen for changes while the page is seen; returns how to stop. */
function watchLibrary(changed: () => void): () => void {
  let source: EventSource | null = null;
  let retrying: number | undefined;

  function open() {
    if (source !== null) return;
    source = new EventSource("/library/changes");
    source.onopen = changed;
    source.addEventListener("changed", changed);
    source.onerror = () => {
      // The browser itself tries again only after some errors.
      close();
      retrying = window.setTimeout(open, RETRY_MILLISECONDS);
    };
  }

  function close() {
    window.clearTimeout(retrying);
    source?.close();
    source = null;
  }

  const look = () => (document.hidden ? close() : open());
  document.addEventListener("visibilitychange", look);
  look();
  return () => {
    document.removeEventListener("visibilitychange", look);
    close();
  };
}
