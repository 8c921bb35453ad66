import { type QueryClient, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useRef } from "react";
import { useJobEvents } from "~/api/events";
import { type LibraryJob, type LibraryMedia, mediaJobs, showMedia } from "~/api/library";
import { useLibraryChanges } from "~/api/library-changes";
import { FOLLOWING, useEventsOpened } from "~/api/live";
import { type JobState, mediaKey, processMedia, type Step } from "~/api/media";
import { useShownMedias } from "../shown";

/** A new job does not say which media it is for: they are looked for at most this often. */
const LOOK_MILLISECONDS = 2_000;

const jobsKey = (id: string) => [...mediaKey(id), "jobs"];

/** Everything that is known of a media, as it is now; nothing is asked unless `enabled`. */
export function useMedia(id: string, { enabled }: { enabled: boolean }) {
  const queries = useQueryClient();
  const query = useQuery({ queryKey: mediaKey(id), queryFn: () => showMedia(id), enabled });
  const { replace } = useShownMedias();
  useEffect(() => {
    if (query.data !== undefined) replace([query.data]);
  }, [query.data, replace]);
  useLibraryChanges(
    useCallback(() => queries.invalidateQueries({ queryKey: mediaKey(id) }), [queries, id]),
  );
  return query;
}

/** The jobs that worked on a media, as they stand now. What one made is shown when it ends. */
export function useMediaJobs(id: string) {
  return useQuery({ ...FOLLOWING, queryKey: jobsKey(id), queryFn: () => mediaJobs(id) });
}

/** Keep the jobs that worked on a media as they are. */
export function useLiveJobs(id: string): void {
  const queries = useQueryClient();
  const look = useRef<number | undefined>(undefined);
  useEffect(() => () => window.clearTimeout(look.current), []);

  useEventsOpened(() => void queries.invalidateQueries({ queryKey: jobsKey(id) }));
  useJobEvents(({ job, kind, status, progress }) => {
    const jobs = queries.getQueryData<LibraryJob[]>(jobsKey(id));
    if (jobs === undefined && queries.isFetching({ queryKey: jobsKey(id) }) > 0) {
      void queries.invalidateQueries({ queryKey: jobsKey(id) });
    } else if (jobs?.some((one) => one.id === job)) {
      update(queries, id, job, { status: status as JobState, progress });
      const ended = ["completed", "errored", "cancelled"].includes(kind);
      if (ended) void queries.invalidateQueries({ queryKey: mediaKey(id) });
    } else if (kind === "enqueued" && look.current === undefined) {
      look.current = window.setTimeout(() => {
        look.current = undefined;
        void queries.invalidateQueries({ queryKey: jobsKey(id) });
      }, LOOK_MILLISECONDS);
    }
  });
}

/** Ask for something to be made of a media. */
export function useProcessing(media: LibraryMedia) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (steps: Step[]) => processMedia(media.resource, steps),
    onSuccess: () => queries.invalidateQueries({ queryKey: jobsKey(media.id) }),
  });
}

function update(queries: QueryClient, id: string, job: string, found: Partial<LibraryJob>): void {
  queries.setQueryData<LibraryJob[]>(jobsKey(id), (jobs) =>
    jobs?.map((one) => (one.id === job ? { ...one, ...found } : one)),
  );
}
