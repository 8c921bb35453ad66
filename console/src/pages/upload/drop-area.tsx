import { Group, Loader, Paper, Portal, Stack, Text } from "@mantine/core";
import { IconCloudUpload } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { countOf } from "~/ui/format";
import { EmptyState } from "~/ui/states";
import classes from "./upload.module.css";

/** What lies over everything while files hover over the window. */
export function DropOverlay() {
  return (
    <Portal>
      <Stack align="center" justify="center" gap="xs" className={classes.overlay}>
        <IconCloudUpload size={64} stroke={1.2} aria-hidden />
        <Text fw={600} size="lg">
          Drop to upload
        </Text>
        <Text>Folders are uploaded with all that is in them.</Text>
      </Stack>
    </Portal>
  );
}

/** Where files may be dropped: large while the queue is empty. */
export function DropArea(props: { empty: boolean; found: number | null; children: ReactNode }) {
  const { empty, found, children } = props;
  if (found !== null) {
    return (
      <Paper className={classes.area} p="md">
        <Group gap="sm">
          <Loader size="sm" />
          <Text role="status">Looking for files: {countOf(found, "file")} so far</Text>
        </Group>
      </Paper>
    );
  }
  if (empty) {
    return (
      <Paper className={classes.area}>
        <EmptyState
          icon={IconCloudUpload}
          title="Drop files and folders here"
          action={<Group justify="center">{children}</Group>}
        >
          An upload that breaks goes on where it broke. You can look at other pages meanwhile.
        </EmptyState>
      </Paper>
    );
  }
  return (
    <Paper className={classes.area} p="md">
      <Group justify="space-between">
        <Text c="dimmed">Drop more files or folders anywhere on this page.</Text>
        <Group gap="xs">{children}</Group>
      </Group>
    </Paper>
  );
}
