import { Button, Center, Loader } from "@mantine/core";
import { IconMovie, IconSearchOff } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import type { RefObject } from "react";
import type { LibraryItem } from "~/api/library";
import { EmptyState, ErrorState } from "~/ui/states";
import type { Chosen } from "./selection";

export interface ListProps {
  medias: LibraryItem[];
  /** Is told the place of the media in the middle of those in sight. */
  inSight: RefObject<number>;
  chosen: Chosen;
  toggle: (index: number, range: boolean) => void;
  /** The end of what has been loaded comes near. */
  needMore: () => void;
}

/** There is no media at all. */
export function EmptyLibrary() {
  return (
    <EmptyState
      icon={IconMovie}
      title="The library is empty"
      action={
        <Button component={Link} to="/upload">
          Upload files
        </Button>
      }
    >
      Films, pictures, sounds and any other files appear here as soon as they come in: uploaded,
      recorded, or transferred from a folder.
    </EmptyState>
  );
}

/** There are medias, but none like this. */
export function NothingFound({ clear }: { clear: () => void }) {
  return (
    <EmptyState
      icon={IconSearchOff}
      title="Nothing found"
      action={
        <Button variant="light" onClick={clear}>
          Clear filters
        </Button>
      }
    >
      No media passes all of the filters. Every word must be part of the name, and every tag must be
      on the media.
    </EmptyState>
  );
}

/** What is below the last media that has been loaded. */
export function ListEnd(props: { loading: boolean; error: unknown; retry: () => void }) {
  const { loading, error, retry } = props;
  if (error !== null) return <ErrorState error={error} retry={retry} />;
  if (!loading) return null;
  return (
    <Center py="lg">
      <Loader size="sm" aria-label="Loading more" />
    </Center>
  );
}
