import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { answered, api } from "~/api/client";
import { useJobEvents } from "~/api/events";
import { FOLLOWING, useEventsOpened } from "~/api/live";
import type { ReceivedRecording } from "~/recorder/service";

/** A recording that the service has, with how far its job is: a ratio from 0 to 1. */
export function useReceived(id: string) {
  const key = ["recordings", id];
  const client = useQueryClient();
  const [progress, setProgress] = useState(0);
  const query = useQuery({
    ...FOLLOWING,
    queryKey: key,
    queryFn: () =>
      answered(api.GET("/recordings/{video_id}", { params: { path: { video_id: id } } })),
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
  useEventsOpened(() => void client.invalidateQueries({ queryKey: key }));

  return { ...query, progress };
}
