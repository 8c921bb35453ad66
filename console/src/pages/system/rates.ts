import type { Throughput } from "~/api/system";

/** Bytes and requests per second between two looks at the counters. */
export interface Rates {
  received: number;
  sent: number;
  requests: number;
}

/** One look; without rates where there was none shortly before it. */
export interface Sample {
  at: number;
  look: Throughput;
  rates: Rates | null;
}

const MOST = 150;
const LONGEST_MILLISECONDS = 30_000;

/** Return the samples with one more look. */
export function withLook(samples: Sample[], look: Throughput): Sample[] {
  const at = Date.parse(look.at);
  const before = samples.at(-1);
  if (before !== undefined && at <= before.at) return samples;
  const rates = before === undefined ? null : ratesBetween(before, { at, look });
  return [...samples.slice(1 - MOST), { at, look, rates }];
}

/** Counters that shrank began anew; over a long pause an average would say nothing. */
function ratesBetween(before: Sample, now: { at: number; look: Throughput }): Rates | null {
  const seconds = (now.at - before.at) / 1000;
  const grown = (name: "received_bytes" | "sent_bytes" | "requests") =>
    (now.look[name] - before.look[name]) / seconds;
  const rates = {
    received: grown("received_bytes"),
    sent: grown("sent_bytes"),
    requests: grown("requests"),
  };
  const sensible = Object.values(rates).every((rate) => rate >= 0);
  return sensible && seconds * 1000 <= LONGEST_MILLISECONDS ? rates : null;
}
