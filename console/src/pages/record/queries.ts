import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { answered, api } from "~/api/client";
import { useConnection, useJobEvents } from "~/api/events";
import type { ReceivedRecording } from "~/recorder/service";

/** A recording that the service has, with how far its job is: a ratio from 0 to 1. */
export function useReceived(id: string) {
  const key = ["recordings", id];
  const client = useQueryClient();
  const connection = useConnection();
  const [progress, setProgress] = useState(0);
  const query = useQuery({
    queryKey: key,
    queryFn: () =>
      answered(api.GET("/recordings/{video_id}", { params: { path: { video_id: id } } })),
    staleTime: 0,
  });

  useJobEvents(({ job, kind, progress: now }) => {
    const recording = client.getQueryData<ReceivedRecording>(key);
    // Until the answer has come, any job may be the one.
    if (recording?.status !== "processing" && recording !== undefined) return;
    if (recording?.job === job) setProgress(now);
    if (kind !== "progress" && (recording?.job ?? job) === job) {
      void client.invalidateQueries({ queryKey: key });
    }
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: what happened while it was lost is not told
  useEffect(() => {
    if (connection === "open") void client.invalidateQueries({ queryKey: ["recordings", id] });
  }, [connection]);

  return { ...query, progress };
}
