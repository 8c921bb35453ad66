import { useEffect, useRef } from "react";
import { useConnection } from "~/api/events";

/** For queries that follow events: what happened while nobody listened must be asked for. */
export const FOLLOWING = { staleTime: 0 } as const;

/**
 * Call `refresh` when the stream of events opens while the component is shown.
 *
 * What happens between the first look and that moment comes as no event.
 */
export function useEventsOpened(refresh: () => void): void {
  const connection = useConnection();
  const before = useRef(connection);
  const latest = useRef(refresh);
  useEffect(() => {
    latest.current = refresh;
  });
  useEffect(() => {
    if (connection === "open" && before.current !== "open") latest.current();
    before.current = connection;
  }, [connection]);
}
