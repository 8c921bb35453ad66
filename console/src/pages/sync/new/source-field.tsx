import { Paper, Stack, Text, Title } from "@mantine/core";
import type { FieldProps } from "~/pages/sync/new/fields";
import { sourceName } from "~/pages/sync/words";
import { FolderBrowser } from "~/ui/folder-browser/folder-browser";
import { useFolder } from "~/ui/folder-browser/queries";

/** The folder that is mirrored: the one that is open. */
export function SourceField({ request, onChange }: FieldProps) {
  const { roots } = useFolder("sync", "");
  const root = roots[0] ?? "";
  return (
    <Paper withBorder p="md">
      <Stack gap="sm">
        <Title order={2} size="h4">
          Source
        </Title>
        <Text size="sm">
          The folder that is open is mirrored: <strong>{sourceName(request)}</strong>.
        </Text>
        <FolderBrowser
          of="sync"
          path={root === "" || request.source === "" ? root : `${root}/${request.source}`}
          onOpen={(path) => onChange({ source: path.slice(root.length + 1) })}
          maxHeight={340}
        />
      </Stack>
    </Paper>
  );
}
