import {
  keepPreviousData,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import {
  countJobs,
  deleteJob,
  type Job,
  type JobFilters,
  listJobs,
  type Signal,
  showJob,
  signalJob,
} from "~/api/jobs";
import { FOLLOWING } from "~/api/live";
import { type Pages, removed, updated } from "./order";

const PAGE = 100;

/** The keys of what is remembered of jobs. */
export const KEYS = {
  all: ["jobs"],
  lists: ["jobs", "list"],
  list: (filters: JobFilters, sort: string) => ["jobs", "list", filters, sort],
  counts: ["jobs", "count"],
  one: (id: string) => ["jobs", "one", id],
} as const;

/** Jobs page by page, as far as they were scrolled to. */
export function useJobs(filters: JobFilters, sort: string) {
  return useInfiniteQuery({
    ...FOLLOWING,
    queryKey: KEYS.list(filters, sort),
    queryFn: ({ pageParam, signal }) =>
      listJobs({ filters, sort, size: PAGE, after: pageParam, signal }),
    initialPageParam: "",
    getNextPageParam: (page) => page.next,
    placeholderData: keepPreviousData,
  });
}

export function useJobCount(filters: JobFilters) {
  return useQuery({
    ...FOLLOWING,
    queryKey: [...KEYS.counts, filters],
    queryFn: ({ signal }) => countJobs(filters, signal),
    placeholderData: keepPreviousData,
  });
}

export function useJob(id: string) {
  return useQuery({
    ...FOLLOWING,
    queryKey: KEYS.one(id),
    queryFn: ({ signal }) => showJob(id, signal),
  });
}

export function useSignalJob() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id, signal }: { id: string; signal: Signal }) => signalJob(id, signal),
    onSuccess: (job: Job) => {
      client.setQueryData(KEYS.one(job.id), job);
      const news = new Map([[job.id, job]]);
      client.setQueriesData<Pages>(
        { queryKey: KEYS.lists },
        (pages) => pages && updated(pages, news),
      );
    },
  });
}

export function useDeleteJob() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: deleteJob,
    onSuccess: (_, id) => {
      client.setQueriesData<Pages>(
        { queryKey: KEYS.lists },
        (pages) => pages && removed(pages, id),
      );
      client.removeQueries({ queryKey: KEYS.one(id) });
      return client.invalidateQueries({ queryKey: KEYS.counts });
    },
  });
}
