import { useThrottledCallback } from "@mantine/hooks";
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useJobEvents } from "~/api/events";
import { FOLLOWING, useEventsOpened } from "~/api/live";
import {
  type FileState,
  limitTransfer,
  listFiles,
  listTransfers,
  previewTransfer,
  type Steering,
  showTransfer,
  startTransfer,
  steerTransfer,
} from "~/api/transfers";
import { tellFailure } from "~/ui/tell-failure";

const LIST_MILLISECONDS = 1_000;
const FILES_MILLISECONDS = 3_000;
/** Files under way together; the first that are still to come are those. */
const MOST_UNDER_WAY = 40;

const keys = {
  list: ["transfers", "list"],
  one: (id: string) => ["transfers", id, "whole"],
  underWay: (id: string) => ["transfers", id, "under way"],
  files: (id: string) => ["transfers", id, "files"],
  preview: (sources: string[]) => ["transfers", "preview", sources],
};

/** The transfers of some statuses, newest first; they follow what happens. */
export function useTransfers(status: string) {
  const client = useQueryClient();
  const found = useInfiniteQuery({
    ...FOLLOWING,
    queryKey: [...keys.list, status],
    queryFn: ({ pageParam }) => listTransfers(status, pageParam),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.after,
  });
  const refresh = useThrottledCallback(
    () => void client.invalidateQueries({ queryKey: keys.list }),
    LIST_MILLISECONDS,
  );
  const transfers = found.data?.pages.flatMap((page) => page.transfers) ?? [];
  useEventsOpened(refresh);
  useJobEvents(({ job, kind }) => {
    if (kind === "enqueued" || transfers.some(({ id }) => id === job)) refresh();
  });
  return { ...found, transfers };
}

/** One transfer; it and its files follow what happens. */
export function useTransfer(id: string) {
  const client = useQueryClient();
  const refresh = useThrottledCallback(() => {
    void client.invalidateQueries({ queryKey: keys.one(id) });
    void client.invalidateQueries({ queryKey: keys.underWay(id) });
  }, LIST_MILLISECONDS);
  const refreshFiles = useThrottledCallback(
    () => void client.invalidateQueries({ queryKey: keys.files(id) }),
    FILES_MILLISECONDS,
  );
  const refreshAll = () => {
    refresh();
    refreshFiles();
  };
  useEventsOpened(refreshAll);
  useJobEvents(({ job }) => {
    if (job === id) refreshAll();
  });
  return useQuery({ ...FOLLOWING, queryKey: keys.one(id), queryFn: () => showTransfer(id) });
}

/** The files that are being sent right now: begun, and not complete. */
export function useFilesUnderWay(id: string, moving: boolean) {
  const { data } = useQuery({
    ...FOLLOWING,
    queryKey: keys.underWay(id),
    queryFn: () => listFiles(id, "pending", null, MOST_UNDER_WAY),
    enabled: moving,
  });
  return moving ? (data?.files.filter(({ bytes }) => bytes > 0) ?? []) : [];
}

export function useFiles(id: string, state: FileState | "") {
  const found = useInfiniteQuery({
    ...FOLLOWING,
    queryKey: [...keys.files(id), state],
    queryFn: ({ pageParam }) => listFiles(id, state, pageParam),
    initialPageParam: null as number | null,
    getNextPageParam: (page) => page.after,
  });
  return { ...found, files: found.data?.pages.flatMap((page) => page.files) ?? [] };
}

/** What a transfer of these would take along, as the folders are now. */
export function usePreview(sources: string[]) {
  return useQuery({
    queryKey: keys.preview(sources),
    queryFn: ({ signal }) => previewTransfer(sources, signal),
    enabled: sources.length > 0,
    gcTime: 0,
    retry: false,
  });
}

export function useStartTransfer() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (wanted: { sources: string[]; bandwidth: number | null }) =>
      startTransfer(wanted.sources, wanted.bandwidth),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.list }),
  });
}

/** Pause, resume, cancel or retry a transfer. */
export function useSteering(id: string) {
  return useChange(id, (how: Steering) => steerTransfer(id, how));
}

/** Limit the bandwidth of a transfer, in bytes per second; null for no limit. */
export function useLimit(id: string) {
  return useChange(id, (bandwidth: number | null) => limitTransfer(id, bandwidth));
}

function useChange<How>(id: string, change: (how: How) => ReturnType<typeof showTransfer>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: change,
    onSuccess: (changed) => {
      client.setQueryData(keys.one(id), changed);
      void client.invalidateQueries({ queryKey: ["transfers"] });
    },
    onError: tellFailure,
  });
}
