/** `outage`: the service is not there, or not well; `conflict`: again may do; `refusal`: final. */
export type FailureKind = "outage" | "conflict" | "refusal";

export interface Failure {
  kind: FailureKind;
  /** A sentence for people. */
  message: string;
}

export const OUTAGE: Failure = { kind: "outage", message: "The service cannot be reached." };

const FIRST_WAIT = 500;
const LONGEST_WAIT = 10_000;

/** Return how many milliseconds to wait after so many failures without a success between them. */
export function waitAfter(failures: number): number {
  return Math.min(FIRST_WAIT * 2 ** (failures - 1), LONGEST_WAIT);
}
