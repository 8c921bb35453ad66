import { Box, Checkbox, Group, Table, Text, ThemeIcon } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { memo } from "react";
import type { Job } from "~/api/jobs";
import { JobStatus, ProgressBar } from "~/ui/job-status";
import { Time } from "~/ui/values";
import { jobIcon, jobTitle } from "./about-job";
import classes from "./jobs-table.module.css";
import { RowMenu } from "./row-menu";

/** One job of the list. On a narrow window all of it is in one column. */
export const JobRow = memo(function JobRow(props: {
  job: Job;
  index: number;
  selected: boolean;
  toggle: (id: string) => void;
  measure: (row: HTMLTableRowElement | null) => void;
}) {
  const { job, index, selected, toggle, measure } = props;
  const title = jobTitle(job);
  const Shown = jobIcon(job);
  return (
    <Table.Tr
      ref={measure}
      data-index={index}
      data-selected={selected || undefined}
      aria-rowindex={index + 2}
      className={classes.row}
    >
      <Table.Td>
        <Checkbox
          aria-label={`Select ${title}`}
          checked={selected}
          onChange={() => toggle(job.id)}
        />
      </Table.Td>
      <Table.Td>
        <Group gap="sm" wrap="nowrap">
          <ThemeIcon variant="light" color="gray" visibleFrom="sm">
            <Shown size={17} stroke={1.6} aria-hidden />
          </ThemeIcon>
          <Box miw={0} flex={1}>
            <Text
              size="sm"
              truncate
              display="block"
              className={classes.title}
              renderRoot={(root) => <Link to="/jobs/$id" params={{ id: job.id }} {...root} />}
            >
              {title}
            </Text>
            <Text
              size="xs"
              c={job.error === null ? "dimmed" : "red"}
              truncate
              title={job.error ?? ""}
            >
              {job.error ?? job.id}
            </Text>
            <Group hiddenFrom="sm" gap="xs" wrap="nowrap" mt={4}>
              <JobStatus status={job.status} />
              <Box flex={1}>
                <Progress job={job} title={title} />
              </Box>
            </Group>
          </Box>
        </Group>
      </Table.Td>
      <Table.Td visibleFrom="sm">
        <JobStatus status={job.status} />
      </Table.Td>
      <Table.Td visibleFrom="sm">
        <Progress job={job} title={title} />
      </Table.Td>
      <Table.Td visibleFrom="xl">{job.priority}</Table.Td>
      <Table.Td visibleFrom="lg">{job.retry_count}</Table.Td>
      <Table.Td visibleFrom="md">
        <Time value={job.created_at} size="sm" />
      </Table.Td>
      <Table.Td visibleFrom="lg">
        <Time value={job.updated_at} size="sm" />
      </Table.Td>
      <Table.Td>
        <RowMenu job={job} title={title} />
      </Table.Td>
    </Table.Tr>
  );
});

function Progress({ job, title }: { job: Job; title: string }) {
  return <ProgressBar value={job.progress} status={job.status} label={`Progress of ${title}`} />;
}
