import { useThrottledCallback } from "@mantine/hooks";
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useJobEvents } from "~/api/events";
import { FOLLOWING, useEventsOpened } from "~/api/live";
import {
  type Action,
  cancelSync,
  createSchedule,
  listOperations,
  listSchedules,
  listSyncs,
  listUnderWay,
  type OperationState,
  planSync,
  removeSchedule,
  type Signal,
  type SyncRequest,
  showSync,
  signalSync,
  startSync,
  syncJobStatus,
} from "~/api/sync";
import { tellFailure } from "~/ui/tell-failure";

const LIST_MILLISECONDS = 1_000;
const OPERATIONS_MILLISECONDS = 3_000;
/** How far a file is comes as no event; it is asked for, as long as the page is seen. */
const UNDER_WAY_MILLISECONDS = 1_000;

const keys = {
  all: ["sync"],
  list: ["sync", "list"],
  one: (id: number) => ["sync", id, "whole"],
  job: (id: number) => ["sync", id, "job"],
  underWay: (id: number) => ["sync", id, "under way"],
  operations: (id: number) => ["sync", id, "operations"],
  schedules: ["sync", "schedules"],
};

/** Every sync, newest first; they follow what happens. */
export function useSyncs() {
  const client = useQueryClient();
  const found = useInfiniteQuery({
    ...FOLLOWING,
    queryKey: keys.list,
    queryFn: ({ pageParam }) => listSyncs(pageParam),
    initialPageParam: null as number | null,
    getNextPageParam: (page) => page.after,
  });
  const refresh = useThrottledCallback(
    () => void client.invalidateQueries({ queryKey: keys.list }),
    LIST_MILLISECONDS,
  );
  const syncs = found.data?.pages.flatMap((page) => page.syncs) ?? [];
  useEventsOpened(refresh);
  useJobEvents(({ job, kind }) => {
    if (kind === "enqueued" || syncs.some((sync) => sync.job === job)) refresh();
  });
  return { ...found, syncs };
}

/** One sync; it, its job and its operations follow what happens. */
export function useSync(id: number) {
  const client = useQueryClient();
  const found = useQuery({ ...FOLLOWING, queryKey: keys.one(id), queryFn: () => showSync(id) });
  const refresh = useThrottledCallback(() => {
    void client.invalidateQueries({ queryKey: keys.one(id) });
    void client.invalidateQueries({ queryKey: keys.job(id) });
  }, LIST_MILLISECONDS);
  const refreshOperations = useThrottledCallback(
    () => void client.invalidateQueries({ queryKey: keys.operations(id) }),
    OPERATIONS_MILLISECONDS,
  );
  const refreshAll = () => {
    refresh();
    refreshOperations();
  };
  useEventsOpened(refreshAll);
  useJobEvents(({ job }) => {
    // Until it is known which job it is, any may be it.
    if (found.data === undefined || found.data.job === job) refreshAll();
  });
  return found;
}

/** Tell whether a sync is paused, which only its job knows. */
export function useIsPaused(id: number, job: string, running: boolean): boolean {
  const { data } = useQuery({
    ...FOLLOWING,
    queryKey: keys.job(id),
    queryFn: () => syncJobStatus(job),
    enabled: running,
  });
  return running && data === "paused";
}

/** The large files that are being sent right now, and when it was so. */
export function useUnderWay(id: number, moving: boolean) {
  const { data, dataUpdatedAt } = useQuery({
    queryKey: keys.underWay(id),
    queryFn: () => listUnderWay(id),
    enabled: moving,
    refetchInterval: UNDER_WAY_MILLISECONDS,
  });
  return { files: moving ? (data ?? []) : [], at: dataUpdatedAt };
}

interface Place {
  action: Action;
  after: string | null;
}

/** What a sync does, of some actions one after the other, in one state or (empty) in any. */
export function useOperations(id: number, actions: Action[], state: OperationState | "") {
  const [first] = actions;
  const found = useInfiniteQuery({
    ...FOLLOWING,
    queryKey: [...keys.operations(id), actions, state],
    queryFn: ({ pageParam: { action, after } }) => listOperations(id, action, state, after),
    initialPageParam: { action: first ?? "upload", after: null } as Place,
    getNextPageParam: (page, _pages, { action }): Place | null => {
      if (page.after !== null) return { action, after: page.after };
      const next = actions[actions.indexOf(action) + 1];
      return next === undefined ? null : { action: next, after: null };
    },
    enabled: first !== undefined,
  });
  return { ...found, operations: found.data?.pages.flatMap((page) => page.operations) ?? [] };
}

/** Make a plan of a sync; nothing is changed by that. */
export function usePlanning() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (request: SyncRequest) => planSync(request),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.list }),
  });
}

/** Start what was planned: nothing is lost that the plan of that dry run does not have. */
export function useStartSync(planned: number) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (request: SyncRequest) => startSync(request, planned),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.list }),
  });
}

export function useCancelling(id: number) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => cancelSync(id),
    onSuccess: (sync) => {
      client.setQueryData(keys.one(id), sync);
      void client.invalidateQueries({ queryKey: keys.all });
    },
    onError: tellFailure,
  });
}

/** Pause, resume or retry a sync. */
export function useSignalling(job: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (signal: Signal) => signalSync(job, signal),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.all }),
    onError: tellFailure,
  });
}

export function useSchedules() {
  return useQuery({ queryKey: keys.schedules, queryFn: listSchedules });
}

export function useCreateSchedule() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ request, cron }: { request: SyncRequest; cron: string }) =>
      createSchedule(request, cron),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.schedules }),
  });
}

export function useRemoveSchedule() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: number) => removeSchedule(id),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.schedules }),
    onError: tellFailure,
  });
}
