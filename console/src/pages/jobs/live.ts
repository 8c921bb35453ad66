import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { type JobHappening, useJobEvents } from "~/api/events";
import { type Job, type JobFilters, listJobs } from "~/api/jobs";
import { useEventsOpened } from "~/api/live";
import { inserted, type Pages, updated } from "./order";
import { KEYS } from "./queries";

const PATIENCE_MILLISECONDS = 250;
const COUNT_PATIENCE_MILLISECONDS = 2_000;
const MOST_ASKED = 50;
const MOST_NEW = 200;

/**
 * Keep a list of jobs as it is, by what happens to jobs.
 *
 * Progress is shown as it is told. What else changed of a job in the list is asked for, some at
 * once; so are jobs that are not in the list, with its filters: the door decides which belong.
 */
export function useLiveJobs(filters: JobFilters, sort: string): void {
  const client = useQueryClient();
  const told = useRef(new Map<string, JobHappening>());
  const changed = useRef(new Set<string>());
  const waiting = useRef<number>(undefined);
  const counting = useRef<number>(undefined);
  const key = KEYS.list(filters, sort);

  const put = (change: (pages: Pages) => Pages) =>
    client.setQueryData<Pages>(key, (pages) => pages && change(pages));

  const flush = async () => {
    waiting.current = undefined;
    const news = told.current;
    const ids = changed.current;
    told.current = new Map();
    changed.current = new Set();
    if (client.getQueryData(key) === undefined) {
      const asking = client.isFetching({ queryKey: key }) > 0;
      if (asking) await client.invalidateQueries({ queryKey: key });
      return;
    }
    put((pages) => updated(pages, new Map([...news].map(([id, one]) => [id, standing(one)]))));
    const listed = idsIn(client.getQueryData<Pages>(key));
    const known = [...ids].filter((id) => listed.has(id));
    const wanted = filters.id__in?.toLowerCase().split(",");
    const others = [...ids]
      .filter((id) => !listed.has(id) && (wanted === undefined || wanted.includes(id)))
      .slice(-MOST_NEW);
    for (const jobs of await Promise.all([ask(known, {}), ask(others, filters)])) {
      put((pages) => jobs.reduce((all, job) => placed(all, job, sort), pages));
    }
  };

  const ask = async (ids: string[], narrowed: JobFilters): Promise<Job[]> => {
    const found: Job[] = [];
    for (let at = 0; at < ids.length; at += MOST_ASKED) {
      const some = ids.slice(at, at + MOST_ASKED).join(",");
      const asked = { ...narrowed, id__in: some };
      found.push(...(await listJobs({ filters: asked, sort, size: MOST_ASKED })).jobs);
    }
    return found;
  };

  useJobEvents((happening) => {
    told.current.set(happening.job, happening);
    if (happening.kind !== "progress" && happening.kind !== "state") {
      changed.current.add(happening.job);
      counting.current ??= window.setTimeout(() => {
        counting.current = undefined;
        client.invalidateQueries({ queryKey: KEYS.counts });
      }, COUNT_PATIENCE_MILLISECONDS);
    }
    // What cannot be asked for now is asked for when the service is back: see below.
    waiting.current ??= window.setTimeout(() => flush().catch(() => {}), PATIENCE_MILLISECONDS);
  });

  useEventsOpened(() => void client.invalidateQueries({ queryKey: KEYS.all }));

  useEffect(
    () => () => {
      window.clearTimeout(waiting.current);
      window.clearTimeout(counting.current);
    },
    [],
  );
}

function standing({ status, progress }: JobHappening): Partial<Job> {
  return { status: status as Job["status"], progress };
}

function idsIn(pages: Pages | undefined): Set<string> {
  return new Set(pages?.pages.flatMap((page) => page.jobs.map(({ id }) => id)));
}

function placed(pages: Pages, job: Job, sort: string): Pages {
  return idsIn(pages).has(job.id)
    ? updated(pages, new Map([[job.id, job]]))
    : inserted(pages, job, sort);
}
