import { notifications } from "@mantine/notifications";
import { useCallback, useRef, useState } from "react";
import { messageOf } from "~/api/errors";
import type { FoundFiles } from "~/uploads/added-files";
import type { AddedFile } from "~/uploads/types";
import { uploads } from "~/uploads/use-uploads";

/** So many files at a time go into the queue: the first are on their way while more are found. */
const BATCH = 200;

/**
 * Take files into the queue as they are found.
 *
 * `found` is how many of a folder that is being read, null when none is.
 */
export function useAdding(tags: string[]) {
  const [found, setFound] = useState<number | null>(null);
  const latestTags = useRef(tags);
  latestTags.current = tags;

  const add = useCallback(async (files: FoundFiles) => {
    let count = 0;
    let batch: AddedFile[] = [];
    const flush = () => {
      uploads.add(batch, latestTags.current);
      batch = [];
      setFound(count);
    };
    setFound(0);
    try {
      for await (const file of files) {
        count += 1;
        if (batch.push(file) < BATCH) continue;
        flush();
        await nextTask(); // clicks and drawing come in between
      }
      flush();
    } catch (error) {
      flush();
      notifications.show({
        color: "red",
        title: "Not everything could be read",
        message: `${messageOf(error)} What was found before is in the list; choose the rest again.`,
      });
      return;
    } finally {
      setFound(null);
    }
    if (count === 0) notifications.show({ message: "There are no files in what you chose." });
  }, []);

  return { add, found };
}

function nextTask(): Promise<void> {
  return new Promise((resolve) => window.setTimeout(resolve));
}
