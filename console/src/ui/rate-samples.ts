import { useEffect, useState } from "react";

/** A rate in bytes per second, measured at a time in milliseconds since 1970. */
export interface RateSample {
  at: number;
  rate: number;
}

const KEPT_MILLISECONDS = 5 * 60_000;

/** Return samples with one more, without those that are older than some minutes. */
function withSample(samples: RateSample[], sample: RateSample): RateSample[] {
  return [...samples.filter(({ at }) => at > sample.at - KEPT_MILLISECONDS), sample];
}

/** Remember the rates that were told; `at` is when, in milliseconds since 1970. */
export function useRateSamples(rate: number | null, at: number): RateSample[] {
  const [samples, setSamples] = useState<RateSample[]>([]);
  useEffect(() => {
    if (rate !== null) setSamples((old) => withSample(old, { at, rate }));
  }, [rate, at]);
  return samples;
}

const SHORTEST_MILLISECONDS = 500;

interface Count {
  at: number;
  bytes: number;
}

/** Remember the rates at which a count of bytes grows; a count that shrinks begins anew. */
export function useGrowthSamples(bytes: number | null, at: number): RateSample[] {
  const [state, setState] = useState<{ last: Count | null; samples: RateSample[] }>({
    last: null,
    samples: [],
  });
  useEffect(() => {
    if (bytes === null) return;
    setState(({ last, samples }) => {
      const now = { at, bytes };
      if (last === null || bytes < last.bytes) return { last: now, samples };
      const passed = at - last.at;
      if (passed < SHORTEST_MILLISECONDS) return { last, samples };
      const rate = ((bytes - last.bytes) / passed) * 1000;
      return { last: now, samples: withSample(samples, { at, rate }) };
    });
  }, [bytes, at]);
  return state.samples;
}
