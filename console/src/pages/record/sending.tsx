import { Alert, Group, Progress, Stack, Text } from "@mantine/core";
import { IconPlugConnectedX } from "@tabler/icons-react";
import type { RecorderSnapshot } from "~/recorder/types";
import { countOf, formatBytes } from "~/ui/format";

/** How much was recorded, and how much of it the service does not have yet. */
export function Amounts({ snapshot }: { snapshot: RecorderSnapshot }) {
  const { bytes, waitingChunks, waitingBytes, trouble } = snapshot;
  return (
    <Stack gap="xs">
      <Group gap="xs" justify="space-between">
        <Text size="sm">{formatBytes(bytes)} recorded</Text>
        <Text size="sm" c={trouble !== null ? "var(--mantine-color-text)" : "dimmed"}>
          {waitingChunks === 0
            ? "All of it has arrived"
            : `${countOf(waitingChunks, "chunk")} (${formatBytes(waitingBytes)}) on the way`}
        </Text>
      </Group>
      {trouble !== null && (
        <Alert color="orange" icon={<IconPlugConnectedX aria-hidden />} role="status">
          {trouble} What is recorded waits in this browser, and is sent in order as soon as the
          service takes it.
        </Alert>
      )}
    </Stack>
  );
}

/** The recording has been stopped, and its last chunks are on their way. */
export function Sending({ snapshot }: { snapshot: RecorderSnapshot }) {
  const { bytes, waitingBytes } = snapshot;
  const sent = bytes === 0 ? 100 : ((bytes - waitingBytes) / bytes) * 100;
  return (
    <Stack gap="xs" w="min(420px, 90%)">
      <Text fw={600} ta="center">
        Sending what was recorded
      </Text>
      <Progress value={sent} animated aria-label="Sent" />
    </Stack>
  );
}
