import { useInterval } from "@mantine/hooks";
import { useEffect, useState } from "react";

/** The time in milliseconds since 1970, told every second while it is `wanted`. */
export function useNow(wanted: boolean): number {
  const [now, setNow] = useState(Date.now);
  const { start, stop } = useInterval(() => setNow(Date.now()), 1000);
  useEffect(() => {
    if (wanted) start();
    return stop;
  }, [wanted, start, stop]);
  return now;
}
