import type { InfiniteData } from "@tanstack/react-query";
import type { Job, JobPage } from "~/api/jobs";

export type Pages = InfiniteData<JobPage, string>;

/** Put what is known anew of jobs into the pages that were read, each where it stands. */
export function updated(pages: Pages, news: Map<string, Partial<Job>>): Pages {
  const update = (job: Job): Job => {
    const found = news.get(job.id);
    return found === undefined ? job : { ...job, ...found };
  };
  return {
    ...pages,
    pages: pages.pages.map((page) =>
      page.jobs.some(({ id }) => news.has(id)) ? { ...page, jobs: page.jobs.map(update) } : page,
    ),
  };
}

/** Put a job where the order wants it; nowhere when that is on a page that was not read yet. */
export function inserted(pages: Pages, job: Job, sort: string): Pages {
  const compare = comparing(sort);
  for (const [number, page] of pages.pages.entries()) {
    const place = page.jobs.findIndex((other) => compare(job, other) < 0);
    const last = number === pages.pages.length - 1;
    if (place === -1 && !(last && page.next === null)) continue;
    const jobs = page.jobs.toSpliced(place === -1 ? page.jobs.length : place, 0, job);
    return { ...pages, pages: pages.pages.with(number, { ...page, jobs }) };
  }
  return pages;
}

export function removed(pages: Pages, id: string): Pages {
  const rest = (page: JobPage) => ({ ...page, jobs: page.jobs.filter((job) => job.id !== id) });
  return { ...pages, pages: pages.pages.map(rest) };
}

/** As the door orders: null after every value, ties by the id, all the other way round for `-`. */
function comparing(sort: string): (one: Job, other: Job) => number {
  const field = sort.replace("-", "") as keyof Job;
  const direction = sort.startsWith("-") ? -1 : 1;
  return (one, other) =>
    direction * (compareValues(one[field], other[field]) || compareValues(one.id, other.id));
}

function compareValues(one: unknown, other: unknown): number {
  if (one === other) return 0;
  if (one === null) return 1;
  if (other === null) return -1;
  return (one as string | number) < (other as string | number) ? -1 : 1;
}
