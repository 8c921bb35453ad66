import type { JobEvent } from "./history";

/** One run of a job by a worker. Without `ended` it goes on. */
export interface Attempt {
  number: number;
  worker: string;
  began: string;
  ended: string | null;
  outcome: string;
  reason: string | null;
}

const OUTCOMES: Record<string, string> = {
  completed: "completed",
  errored: "failed for good",
  retrying: "failed",
  paused: "paused",
  cancelled: "cancelled",
  handed_back: "handed back",
  taken_over: "worker lost",
};

/** Return the runs that a history tells of, in order. */
export function attemptsOf(events: JobEvent[]): Attempt[] {
  const attempts: Attempt[] = [];
  for (const event of events) {
    const current = attempts.at(-1);
    const outcome = OUTCOMES[event.kind];
    if (current?.ended === null && outcome !== undefined) {
      current.ended = event.at;
      current.outcome = outcome;
      current.reason = reasonOf(event);
    }
    if (event.kind === "started" || event.kind === "taken_over") {
      attempts.push({
        number: attempts.length + 1,
        worker: event.actor,
        began: event.at,
        ended: null,
        outcome: "running",
        reason: null,
      });
    }
  }
  return attempts;
}

export function reasonOf({ detail }: JobEvent): string | null {
  return typeof detail.reason === "string" ? detail.reason : null;
}

/** Return how many seconds the runs took together, those under way until `now`. */
export function secondsRun(attempts: Attempt[], now: number): number {
  const spans = attempts.map(
    ({ began, ended }) => (ended === null ? now : Date.parse(ended)) - Date.parse(began),
  );
  return spans.reduce((sum, span) => sum + Math.max(span, 0), 0) / 1000;
}
