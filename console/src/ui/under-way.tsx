import { Group, Paper, Stack, Text, Title } from "@mantine/core";
import { ProgressBar } from "~/ui/job-status";
import { Bytes } from "~/ui/values";

export interface MovingFile {
  path: string;
  name: string;
  bytes: number;
  size: number;
}

/** The files that are being sent right now; nothing while there are none. */
export function UnderWay({ files }: { files: MovingFile[] }) {
  if (files.length === 0) return null;
  return (
    <Paper withBorder p="md">
      <Title order={2} size="h5" mb="sm">
        Under way
      </Title>
      <Stack gap="sm">
        {files.map(({ path, name, bytes, size }) => (
          <div key={path}>
            <Group justify="space-between" wrap="nowrap" gap="sm">
              <Text size="sm" truncate title={path}>
                {name}
              </Text>
              <Text size="xs" c="dimmed" flex="none">
                <Bytes value={bytes} /> of <Bytes value={size} />
              </Text>
            </Group>
            <ProgressBar value={bytes / Math.max(size, 1)} label={`Progress of ${name}`} />
          </div>
        ))}
      </Stack>
    </Paper>
  );
}
