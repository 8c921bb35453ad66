import { ActionIcon, Group, List, Stack, Text, ThemeIcon } from "@mantine/core";
import { IconFile, IconFolderFilled, IconX } from "@tabler/icons-react";
import type { TransferPreview } from "~/api/transfers";
import { type Chosen, withoutPath } from "~/pages/transfers/new/choice";
import { usePreview } from "~/pages/transfers/queries";
import { Danger } from "~/ui/danger";
import { countOf, formatBytes } from "~/ui/format";
import { ErrorState } from "~/ui/states";

interface Props {
  chosen: Chosen[];
  onChange: (chosen: Chosen[]) => void;
}

/** What was chosen, each with a way to leave it out again. */
export function ChosenList({ chosen, onChange }: Props) {
  if (chosen.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        Nothing is chosen yet. Tick folders and files on the left; a name opens its folder.
      </Text>
    );
  }
  return (
    <Stack gap={6} component="ul" m={0} p={0} aria-label="Chosen" mah={220} style={LIST}>
      {chosen.map((entry) => {
        const Shown = entry.kind === "folder" ? IconFolderFilled : IconFile;
        return (
          <Group key={entry.path} component="li" gap="xs" wrap="nowrap">
            <ThemeIcon variant="light" size="sm" color={entry.kind === "folder" ? "blue" : "gray"}>
              <Shown size={14} aria-hidden />
            </ThemeIcon>
            <Text size="sm" truncate flex={1} title={entry.path}>
              {entry.path}
            </Text>
            <ActionIcon
              variant="subtle"
              color="gray"
              size="sm"
              aria-label={`Leave out ${entry.name}`}
              onClick={() => onChange(withoutPath(chosen, entry.path))}
            >
              <IconX size={14} aria-hidden />
            </ActionIcon>
          </Group>
        );
      })}
    </Stack>
  );
}

const LIST = { listStyle: "none", overflowY: "auto" } as const;

/** What a start would do, in words. */
export function WhatWillHappen({ chosen }: { chosen: Chosen[] }) {
  const { data, error, refetch } = usePreview(chosen.map(({ path }) => path));
  return (
    <Stack gap="xs">
      {error !== null && <ErrorState error={error} retry={() => void refetch()} />}
      {data !== undefined && <Counted preview={data} />}
      {chosen.length > 0 && data === undefined && error === null && (
        <Text size="sm" role="status">
          Looking at what is there…
        </Text>
      )}
      <List size="sm" spacing={4} c="dimmed">
        <List.Item>
          Every file becomes a media of the library. The originals stay as they are.
        </List.Item>
        <List.Item>
          The service does it by itself: this page may be closed, and after a restart it goes on.
        </List.Item>
        <List.Item>A file that fails does not stop the others, and can be tried again.</List.Item>
        <List.Item>Links to folders, pipes and devices are skipped.</List.Item>
      </List>
    </Stack>
  );
}

function Counted({ preview }: { preview: TransferPreview }) {
  const { files, bytes, failing, skipped, problems, whole } = preview;
  return (
    <Stack gap={4} role="status">
      <Text size="sm" fw={600}>
        Copied into the store: {!whole && "more than "}
        {countOf(files, "file")} ({formatBytes(bytes)}).
      </Text>
      {failing > 0 && <Danger size="sm">{countOf(failing, "file")} cannot be read.</Danger>}
      {skipped > 0 && (
        <Text size="sm">{countOf(skipped, "entry", "entries")} will be skipped.</Text>
      )}
      {problems.map((problem) => (
        <Text key={problem} size="xs" c="dimmed" style={{ overflowWrap: "anywhere" }}>
          {problem}
        </Text>
      ))}
    </Stack>
  );
}
