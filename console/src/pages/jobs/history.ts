import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { JOB_EVENT_KINDS, type JobHappening } from "~/api/events";
import type { Job } from "~/api/jobs";
import { KEYS } from "./queries";

/** An event of a job's history; see the reference of `/events`. */
export interface JobEvent extends JobHappening {
  id: string;
  actor: string;
  detail: Record<string, unknown>;
}

const RETRY_MILLISECONDS = 2_000;
const PATIENCE_MILLISECONDS = 150;

/**
 * The history of a job from its beginning, and what is added to it.
 *
 * The job itself is kept as it is meanwhile. Nothing is received while the page is hidden.
 */
export function useJobHistory(id: string): JobEvent[] {
  const client = useQueryClient();
  const [events, setEvents] = useState<JobEvent[]>([]);

  useEffect(() => {
    let after = "0";
    let source: EventSource | null = null;
    let retrying: number | undefined;
    let asking: number | undefined;
    let arrived: JobEvent[] = [];

    const take = () => {
      asking = undefined;
      const added = arrived;
      arrived = [];
      setEvents((before) => [...before, ...added]);
      // How it stands is more than its history tells.
      client.invalidateQueries({ queryKey: KEYS.one(id) });
    };

    const hear = (event: MessageEvent<string>) => {
      const happening = JSON.parse(event.data) as JobHappening;
      if (happening.kind === "progress" || happening.kind === "state") {
        const { status, progress } = happening;
        client.setQueryData<Job>(
          KEYS.one(id),
          (job) => job && { ...job, status: status as Job["status"], progress },
        );
        return;
      }
      after = event.lastEventId;
      arrived.push({ ...(happening as JobEvent), id: after });
      asking ??= window.setTimeout(take, PATIENCE_MILLISECONDS);
    };

    const open = () => {
      source ??= new EventSource(`/events?job=${encodeURIComponent(id)}&after=${after}`);
      for (const kind of JOB_EVENT_KINDS) source.addEventListener(kind, hear);
      source.onerror = () => {
        close();
        retrying = window.setTimeout(open, RETRY_MILLISECONDS);
      };
    };
    const close = () => {
      window.clearTimeout(retrying);
      source?.close();
      source = null;
    };
    const look = () => (document.hidden ? close() : open());

    setEvents([]);
    look();
    document.addEventListener("visibilitychange", look);
    return () => {
      document.removeEventListener("visibilitychange", look);
      window.clearTimeout(asking);
      close();
    };
  }, [client, id]);

  return events;
}
