import { Group, Paper, Stack, Text, Title } from "@mantine/core";
import { lastName, pathOf } from "~/api/folders";
import { useFilesUnderWay } from "~/pages/transfers/queries";
import { ProgressBar } from "~/ui/job-status";
import { Bytes } from "~/ui/values";

/** The files that are being sent right now; nothing while there are none. */
export function UnderWay({ id, moving }: { id: string; moving: boolean }) {
  const files = useFilesUnderWay(id, moving);
  if (files.length === 0) return null;
  return (
    <Paper withBorder p="md">
      <Title order={2} size="h5" mb="sm">
        Under way
      </Title>
      <Stack gap="sm">
        {files.map(({ position, uri, bytes, size }) => {
          const name = lastName(pathOf(uri));
          return (
            <div key={position}>
              <Group justify="space-between" wrap="nowrap" gap="sm">
                <Text size="sm" truncate title={pathOf(uri)}>
                  {name}
                </Text>
                <Text size="xs" c="dimmed" flex="none">
                  <Bytes value={bytes} /> of <Bytes value={size} />
                </Text>
              </Group>
              <ProgressBar value={bytes / Math.max(size, 1)} label={`Progress of ${name}`} />
            </div>
          );
        })}
      </Stack>
    </Paper>
  );
}
