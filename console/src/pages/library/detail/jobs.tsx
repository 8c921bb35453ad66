import { Group, Stack, Text } from "@mantine/core";
import type { LibraryJob, LibraryMedia } from "~/api/library";
import { DANGER } from "~/ui/danger";
import { JobStatus, ProgressBar } from "~/ui/job-status";
import { LinkAnchor } from "~/ui/links";
import { Loading } from "~/ui/loading";
import { Part } from "~/ui/part";
import { ErrorState } from "~/ui/states";
import { Time } from "~/ui/values";
import { useLiveJobs, useMediaJobs } from "./queries";

/** The jobs that worked on a media, as they go on. */
export function Jobs({ media }: { media: LibraryMedia }) {
  const jobs = useMediaJobs(media.id);
  useLiveJobs(media.id);
  return (
    <Part title="Jobs">
      {jobs.isPending && <Loading rows={2} height={24} />}
      {jobs.isError && <ErrorState error={jobs.error} retry={jobs.refetch} />}
      {jobs.data?.length === 0 && (
        <Text size="sm" c="dimmed">
          No job has worked on it.
        </Text>
      )}
      <Stack gap="xs">
        {jobs.data?.map((job) => (
          <JobLine key={job.id} job={job} />
        ))}
      </Stack>
    </Part>
  );
}

function JobLine({ job }: { job: LibraryJob }) {
  const { id, job_class, status, progress, created_at, error } = job;
  return (
    <div>
      <Group gap="sm" justify="space-between" wrap="nowrap">
        <Group gap="sm" wrap="nowrap">
          <LinkAnchor to="/jobs/$id" params={{ id }} size="sm">
            {job_class}
          </LinkAnchor>
          <JobStatus status={status} />
        </Group>
        <Text size="sm" c="dimmed" component="div">
          <Time value={created_at} />
        </Text>
      </Group>
      {status === "running" && (
        <ProgressBar value={progress} status={status} label={`Progress of ${job_class}`} />
      )}
      {error !== null && (
        <Text size="sm" c={DANGER} mt={2} style={{ overflowWrap: "anywhere" }}>
          {error}
        </Text>
      )}
    </div>
  );
}
