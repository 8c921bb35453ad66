import { Box, Code, Grid, Group, Paper, Stack, Text } from "@mantine/core";
import { useParams } from "@tanstack/react-router";
import type { Job } from "~/api/jobs";
import { BackLink } from "~/ui/back-link";
import { CopyButton } from "~/ui/copy-button";
import { JobStatus, ProgressBar } from "~/ui/job-status";
import { Loading } from "~/ui/loading";
import { PageHeader } from "~/ui/page-header";
import { Part } from "~/ui/part";
import { ErrorState } from "~/ui/states";
import { jobTitle } from "./about-job";
import { attemptsOf } from "./attempts";
import { AttemptsTable } from "./attempts-table";
import classes from "./detail.module.css";
import { useJobHistory } from "./history";
import { JobActions } from "./job-actions";
import { useJob } from "./queries";
import { Subjects } from "./subjects";
import { JobTimeline } from "./timeline";
import { Timing } from "./timing";
import { useNow } from "./use-now";

const LIVE = new Set(["pending", "running", "paused"]);

/** One job: what it does, how far it is, what happened to it. */
export default function JobsDetail() {
  const { id } = useParams({ from: "/jobs/$id" });
  const job = useJob(id);
  return (
    <>
      <BackLink to="/jobs">All jobs</BackLink>
      {job.data === undefined ? (
        <>
          <PageHeader title="Job" about={id} />
          {job.isError ? (
            <ErrorState error={job.error} retry={() => job.refetch()} />
          ) : (
            <Loading rows={4} height={90} />
          )}
        </>
      ) : (
        <JobPage job={job.data} />
      )}
    </>
  );
}

function JobPage({ job }: { job: Job }) {
  const events = useJobHistory(job.id);
  const now = useNow(LIVE.has(job.status));
  const attempts = attemptsOf(events);
  const title = jobTitle(job);
  return (
    <>
      <PageHeader
        title={title}
        about={
          <Group gap={4} component="span">
            <Text span size="xs" ff="monospace">
              {job.id}
            </Text>
            <CopyButton value={job.id} label="Copy the id" />
          </Group>
        }
      >
        <JobActions job={job} />
      </PageHeader>
      <Grid gap="md">
        <Grid.Col span={{ base: 12, md: 7 }}>
          <Stack gap="md">
            <Paper withBorder p="md">
              <Group gap="sm" mb="md" wrap="nowrap">
                <Box role="status">
                  <JobStatus status={job.status} />
                </Box>
                <Box flex={1}>
                  <ProgressBar
                    value={job.progress}
                    status={job.status}
                    label={`Progress of ${title}`}
                  />
                </Box>
              </Group>
              <Timing job={job} attempts={attempts} now={now} />
            </Paper>
            {job.error !== null && (
              <Part title="Error" action={<CopyButton value={job.error} label="Copy the error" />}>
                <Code block className={classes.error}>
                  {job.error}
                </Code>
              </Part>
            )}
            <Part title="Attempts">
              <AttemptsTable attempts={attempts} now={now} />
            </Part>
            <Part
              title="What it works on"
              action={
                <CopyButton value={JSON.stringify(job.arguments)} label="Copy the arguments" />
              }
            >
              <Subjects job={job} />
              <Code block mt="sm" className={classes.json} tabIndex={0} aria-label="Arguments">
                {JSON.stringify(job.arguments, null, 2)}
              </Code>
              {job.unicity !== null && (
                <Text size="xs" c="dimmed" mt="xs">
                  Only one job at a time may have the unicity <Code>{job.unicity}</Code>
                </Text>
              )}
            </Part>
          </Stack>
        </Grid.Col>
        <Grid.Col span={{ base: 12, md: 5 }}>
          <Part title="What happened">
            <JobTimeline events={events} />
          </Part>
        </Grid.Col>
      </Grid>
    </>
  );
}
