import { Badge, Group, Progress, Text } from "@mantine/core";
import { formatPercent } from "~/ui/format";

const COLORS: Record<string, string> = {
  pending: "gray",
  running: "blue",
  paused: "yellow",
  completed: "teal",
  errored: "red",
  cancelled: "gray",
};

/** The status of a job, as a word in its colour. */
export function JobStatus({ status }: { status: string }) {
  return (
    <Badge variant="light" color={COLORS[status] ?? "gray"} tt="none">
      {status}
    </Badge>
  );
}

/** How far something is: a bar and the number. `value` is a ratio from 0 to 1. */
export function ProgressBar(props: { value: number; status?: string; label: string }) {
  const { value, status = "running", label } = props;
  return (
    <Group gap="xs" wrap="nowrap">
      <Progress
        value={value * 100}
        color={COLORS[status] === "gray" ? "gray.5" : (COLORS[status] ?? "blue")}
        animated={status === "running"}
        flex={1}
        miw={60}
        aria-label={label}
      />
      <Text size="xs" c="dimmed" miw={42} ta="right" style={{ whiteSpace: "nowrap" }}>
        {formatPercent(value)}
      </Text>
    </Group>
  );
}
