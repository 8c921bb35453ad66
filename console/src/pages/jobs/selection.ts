import { useEffect, useMemo, useState } from "react";
import type { Job } from "~/api/jobs";

export interface Selection {
  ids: Set<string>;
  /** The statuses of those in the list that are selected. */
  jobs: Job[];
  /** Whether all jobs that pass the filters are meant, also those that were not read yet. */
  everything: boolean;
  whole: boolean;
  toggle: (id: string) => void;
  toggleWhole: () => void;
  selectEverything: () => void;
  clear: () => void;
}

/** What is selected of a list of jobs. Another list (`of`) begins without. */
export function useSelection(jobs: Job[], of: string): Selection {
  const [ids, setIds] = useState<Set<string>>(new Set());
  const [everything, setEverything] = useState(false);
  const clear = () => {
    setIds(new Set());
    setEverything(false);
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: it is for another list that it runs
  useEffect(clear, [of]);

  const selected = useMemo(() => jobs.filter(({ id }) => ids.has(id)), [jobs, ids]);
  const whole = everything || (jobs.length > 0 && selected.length === jobs.length);
  return {
    ids,
    jobs: selected,
    everything,
    whole,
    toggle: (id) => {
      // Out of everything, what is left are those that were read.
      const next = everything ? new Set(jobs.map((job) => job.id)) : new Set(ids);
      if (!next.delete(id)) next.add(id);
      setIds(next);
      setEverything(false);
    },
    toggleWhole: () => (whole ? clear() : setIds(new Set(jobs.map(({ id }) => id)))),
    selectEverything: () => setEverything(true),
    clear,
  };
}
