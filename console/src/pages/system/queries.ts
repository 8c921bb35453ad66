import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { showStored, showSystem, showThroughput } from "~/api/system";
import { type Rates, type Sample, withLook } from "./rates";

const DAYS = 30;
const HEALTH_MILLISECONDS = 10_000;
const LOOK_MILLISECONDS = 2_000;

/** How the service stands: looked at again and again, but not while the page is hidden. */
export function useSystem() {
  return useQuery({
    queryKey: ["system", "standing"],
    queryFn: ({ signal }) => showSystem(signal),
    refetchInterval: HEALTH_MILLISECONDS,
  });
}

export function useStored() {
  return useQuery({
    queryKey: ["system", "stored"],
    queryFn: ({ signal }) => showStored(DAYS, signal),
    refetchInterval: 6 * HEALTH_MILLISECONDS,
  });
}

/** What passes through the service, of the last minutes in which this page was looked at. */
export function useThroughput() {
  const look = useQuery({
    queryKey: ["system", "throughput"],
    queryFn: ({ signal }) => showThroughput(signal),
    refetchInterval: LOOK_MILLISECONDS,
    gcTime: 0,
  });
  const [samples, setSamples] = useState<Sample[]>([]);
  const { data } = look;
  useEffect(() => {
    if (data !== undefined) setSamples((before) => withLook(before, data));
  }, [data]);
  const rates: Rates | null = samples.at(-1)?.rates ?? null;
  return { ...look, samples, rates };
}
