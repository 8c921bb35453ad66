import { Group, Stack, Text, TextInput } from "@mantine/core";
import { IconFolderOff, IconSearch } from "@tabler/icons-react";
import { type ReactNode, useState } from "react";
import type { Folder, FolderEntry, FoldersOf } from "~/api/folders";
import { Entries } from "~/ui/folder-browser/entries";
import { PathBar } from "~/ui/folder-browser/path-bar";
import { useFolder } from "~/ui/folder-browser/queries";
import { countOf } from "~/ui/format";
import { Loading } from "~/ui/loading";
import { EmptyState, ErrorState } from "~/ui/states";

interface Props {
  of: FoldersOf;
  /** The folder that is open; empty where looking begins. */
  path: string;
  onOpen: (path: string) => void;
  /** What stands before each entry, to choose it with; without it folders are only opened. */
  choice?: (entry: FolderEntry) => ReactNode;
  maxHeight?: number;
}

/** The folders and files of the service's machine that may be read. */
export function FolderBrowser({ of, path, onOpen, choice, maxHeight = 420 }: Props) {
  const [wanted, setWanted] = useState("");
  const { roots, opened, shown } = useFolder(of, path);

  if (shown.data?.roots.length === 0) return <NoRoots />;

  const open = (to: string) => {
    setWanted("");
    onOpen(to);
  };
  return (
    <Stack gap="xs">
      <Group justify="space-between" gap="xs">
        <PathBar path={opened} roots={roots} onOpen={open} />
        <TextInput
          size="xs"
          aria-label="Find in this folder"
          placeholder="Find in this folder"
          leftSection={<IconSearch size={14} aria-hidden />}
          value={wanted}
          onChange={(event) => setWanted(event.currentTarget.value)}
        />
      </Group>
      {shown.isPending && <Loading rows={6} height={36} />}
      {shown.isError && <ErrorState error={shown.error} retry={() => void shown.refetch()} />}
      {shown.data !== undefined && (
        <Found folder={shown.data} wanted={wanted} onOpen={open} {...{ choice, maxHeight }} />
      )}
    </Stack>
  );
}

interface FoundProps extends Pick<Props, "onOpen" | "choice"> {
  folder: Folder;
  wanted: string;
  maxHeight: number;
}

function Found({ folder: { entries, truncated }, wanted, ...shown }: FoundProps) {
  const found = entries.filter(({ name }) => name.toLowerCase().includes(wanted.toLowerCase()));
  return (
    <>
      {found.length === 0 ? (
        <Text c="dimmed" ta="center" py="xl" size="sm">
          {entries.length === 0 ? "This folder is empty." : "Nothing here has that in its name."}
        </Text>
      ) : (
        <Entries entries={found} {...shown} />
      )}
      <Text size="xs" c="dimmed" role="status">
        {countOf(found.length, "entry", "entries")}
        {truncated && "; there are more than are shown here"}
      </Text>
    </>
  );
}

function NoRoots() {
  return (
    <EmptyState icon={IconFolderOff} title="No folder may be read yet">
      The operator names the folders that transfers may read in MEDIATHEQUE_SOURCE_ROOTS, and starts
      the service again.
    </EmptyState>
  );
}
