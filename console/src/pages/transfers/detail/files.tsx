import {
  Group,
  Paper,
  ScrollArea,
  SegmentedControl,
  Stack,
  Text,
  TextInput,
  Title,
} from "@mantine/core";
import { IconSearch } from "@tabler/icons-react";
import { useCallback, useEffect, useState } from "react";
import { pathOf } from "~/api/folders";
import type { FileState, Transfer } from "~/api/transfers";
import { FileRows } from "~/pages/transfers/detail/file-rows";
import { useFiles } from "~/pages/transfers/queries";
import { countOf, formatCount } from "~/ui/format";
import { Loading } from "~/ui/loading";
import { useSearchText } from "~/ui/search-params";
import { ErrorState } from "~/ui/states";

/** What became of every file, by state and by name. */
export function FileTable({ transfer }: { transfer: Transfer }) {
  const [state, setState] = useSearchText("state");
  const [wanted, setWanted] = useState("");
  const { files } = transfer;
  return (
    <Paper withBorder p="md">
      <Stack gap="sm">
        <Group justify="space-between" gap="sm">
          <Title order={2} size="h5">
            Files
          </Title>
          <TextInput
            size="xs"
            aria-label="Find a file"
            placeholder="Find a file"
            leftSection={<IconSearch size={14} aria-hidden />}
            value={wanted}
            onChange={(event) => setWanted(event.currentTarget.value)}
          />
        </Group>
        <ScrollArea type="never">
          <SegmentedControl
            aria-label="State"
            size="xs"
            value={state}
            onChange={setState}
            data={[
              { value: "", label: `All ${formatCount(files.total)}` },
              { value: "pending", label: `To come ${formatCount(files.pending)}` },
              { value: "complete", label: `Complete ${formatCount(files.complete)}` },
              { value: "failed", label: `Failed ${formatCount(files.failed)}` },
              { value: "skipped", label: `Skipped ${formatCount(files.skipped)}` },
            ]}
          />
        </ScrollArea>
        <Found transfer={transfer} state={state as FileState | ""} wanted={wanted} />
      </Stack>
    </Paper>
  );
}

function Found(props: { transfer: Transfer; state: FileState | ""; wanted: string }) {
  const { transfer, state, wanted } = props;
  const { files, hasNextPage, isFetching, fetchNextPage, ...found } = useFiles(transfer.id, state);
  const more = useCallback(() => {
    if (hasNextPage && !isFetching) void fetchNextPage();
  }, [hasNextPage, isFetching, fetchNextPage]);
  // The door knows no names: what is looked for may be on any page.
  useEffect(() => {
    if (wanted !== "") more();
  }, [wanted, more]);

  if (found.isPending) return <Loading rows={4} height={36} />;
  if (found.isError) {
    return <ErrorState error={found.error} retry={() => void found.refetch()} />;
  }
  const matching = files.filter(({ uri }) =>
    pathOf(uri).toLowerCase().includes(wanted.toLowerCase()),
  );
  return (
    <>
      {matching.length === 0 ? (
        <Text c="dimmed" ta="center" py="lg" size="sm">
          {files.length === 0 ? "There is no file here." : "No file has that in its name."}
        </Text>
      ) : (
        <FileRows files={matching} moving={transfer.status === "running"} onEnd={more} />
      )}
      {wanted !== "" && (
        <Text size="xs" c="dimmed" role="status">
          {countOf(matching.length, "file")} among {formatCount(files.length)} looked at
          {hasNextPage && "; looking on…"}
        </Text>
      )}
    </>
  );
}
