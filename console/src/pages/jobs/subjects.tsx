import { Anchor, Group, List, Skeleton, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { answered, api } from "~/api/client";
import type { Job } from "~/api/jobs";
import { listSyncs } from "~/api/sync";
import { countOf } from "~/ui/format";
import { texts } from "./about-job";

const MOST_NAMED = 10;
const MOST_PAGES = 10;

/** Links to what a job is about. */
export function Subjects({ job }: { job: Job }) {
  switch (job.job_class) {
    case "transfer":
      return (
        <Anchor component={Link} to={`/transfers/${job.id}`} size="sm">
          Show the transfer with its files
        </Anchor>
      );
    case "sync":
      return <SyncLink job={job} />;
    case "processing":
      return <Medias filter={{ "filter[id__in]": named(job) }} count={medias(job).length} />;
    case "recording":
      return <Medias filter={{ "filter[resource]": String(job.arguments.recording) }} />;
    default:
      return null;
  }
}

function medias(job: Job): string[] {
  return texts(job.arguments.medias);
}

function named(job: Job): string {
  return medias(job).slice(0, MOST_NAMED).join(",");
}

/** The medias that pass a filter, of `count` that the job has. */
function Medias({ filter, count }: { filter: Record<string, string>; count?: number }) {
  const found = useQuery({
    queryKey: ["jobs", "subjects", filter],
    queryFn: ({ signal }) => {
      const query = {
        ...filter,
        "fields[media:medias]": "filename,key",
        "page[size]": String(MOST_NAMED),
      };
      return answered(api.GET("/medias", { params: { query }, signal }));
    },
  });
  if (found.isPending) return <Skeleton height={20} maw={240} />;
  if (found.isError || found.data.data.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        {found.isError ? "Its medias could not be read." : "Its medias were deleted."}
      </Text>
    );
  }
  const others = Math.max((count ?? 0) - MOST_NAMED, 0);
  return (
    <List size="sm" spacing={4} listStyleType="none">
      {found.data.data.map(({ id, attributes }) => (
        <List.Item key={id}>
          <Group gap={6}>
            <Anchor component={Link} to={`/library/${id}`} size="sm">
              {attributes.filename}
            </Anchor>
            {attributes.key !== "" && (
              <Text span size="xs" c="dimmed">
                {attributes.key}
              </Text>
            )}
          </Group>
        </List.Item>
      ))}
      {others > 0 && <List.Item>and {countOf(others, "other")}</List.Item>}
    </List>
  );
}

/** A sync has an id of its own, which its job does not tell. */
function SyncLink({ job }: { job: Job }) {
  const found = useQuery({
    queryKey: ["jobs", "sync", job.id],
    queryFn: async () => {
      let after: number | null = null;
      for (let page = 0; page < MOST_PAGES; page += 1) {
        const read = await listSyncs(after);
        const sync = read.syncs.find((one) => one.job === job.id);
        if (sync !== undefined) return sync.id;
        after = read.after;
        if (after === null) break;
      }
      return null;
    },
  });
  if (found.isPending) return <Skeleton height={20} maw={240} />;
  const number = found.data ?? null;
  return (
    <Anchor component={Link} to={number === null ? "/sync" : `/sync/${number}`} size="sm">
      {number === null ? "Show all syncs" : `Show sync ${number} with its plan`}
    </Anchor>
  );
}
