import { Group, SimpleGrid, Text } from "@mantine/core";
import type { ReactNode } from "react";
import type { Job } from "~/api/jobs";
import { formatDuration } from "~/ui/format";
import { Time } from "~/ui/values";
import { type Attempt, secondsRun } from "./attempts";

/** When a job was asked for, began and ended, and how long it waited and ran. */
export function Timing(props: { job: Job; attempts: Attempt[]; now: number }) {
  const { job, attempts, now } = props;
  const created = Date.parse(job.created_at);
  const ended = job.finished_at === null ? now : Date.parse(job.finished_at);
  const began = job.started_at === null ? ended : Date.parse(job.started_at);
  return (
    <SimpleGrid cols={{ base: 2, sm: 3 }} spacing="sm" verticalSpacing="sm">
      <Fact name="Waited">{formatDuration(Math.max(began - created, 0) / 1000)}</Fact>
      <Fact name="Ran">{formatDuration(secondsRun(attempts, now))}</Fact>
      <Fact name="In all">{formatDuration(Math.max(ended - created, 0) / 1000)}</Fact>
      <Fact name="Created">
        <Time value={job.created_at} />
      </Fact>
      <Fact name="Started">
        <Time value={job.started_at} />
      </Fact>
      <Fact name="Ended">
        <Time value={job.finished_at} />
      </Fact>
      <Fact name="Retries">{job.retry_count}</Fact>
      <Fact name="Priority">{job.priority}</Fact>
      {job.scheduled_at !== null && (
        <Fact name={job.status === "pending" ? "Not before" : "Was scheduled for"}>
          <Time value={job.scheduled_at} />
        </Fact>
      )}
    </SimpleGrid>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <Group gap={0} style={{ flexDirection: "column", alignItems: "flex-start" }}>
      <Text size="xs" c="dimmed">
        {name}
      </Text>
      <Text size="sm" component="div">
        {children}
      </Text>
    </Group>
  );
}
