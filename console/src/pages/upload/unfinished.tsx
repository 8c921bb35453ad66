import { Alert, Button, Stack, Text } from "@mantine/core";
import { IconHistory } from "@tabler/icons-react";
import { countOf } from "~/ui/format";
import type { UploadItem } from "~/uploads/types";
import { uploads } from "~/uploads/use-uploads";

/** What a reload has interrupted, and how to go on with it. */
export function Unfinished({ items }: { items: readonly UploadItem[] }) {
  const lost = items.filter(({ state }) => state === "lost");
  if (lost.length === 0) return null;
  const readable = lost.filter(({ hasHandle }) => hasHandle).length;
  const others = lost.length - readable;
  return (
    <Alert
      color="orange"
      icon={<IconHistory aria-hidden />}
      title={`${countOf(lost.length, "upload was", "uploads were")} interrupted`}
    >
      <Stack gap="xs" align="flex-start">
        {readable > 0 && (
          <>
            <Text size="sm">
              The browser asks whether this page may read {countOf(readable, "file")} again. What
              has arrived is not sent twice.
            </Text>
            <Button size="xs" onClick={() => uploads.goOn()}>
              Go on
            </Button>
          </>
        )}
        {others > 0 && (
          <Text size="sm">
            Choose the same files again to go on with {countOf(others, "upload")}, or drop them
            here. What has arrived is not sent twice.
          </Text>
        )}
      </Stack>
    </Alert>
  );
}
