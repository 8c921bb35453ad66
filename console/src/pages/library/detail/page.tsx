import { Button, Grid, Stack } from "@mantine/core";
import { IconPhotoOff, IconTrash } from "@tabler/icons-react";
import { useParams } from "@tanstack/react-router";
import { ServiceError } from "~/api/errors";
import type { LibraryMedia } from "~/api/library";
import { metaOf } from "~/api/meta";
import { useDeletion } from "~/medias/deletion";
import { TagEditor } from "~/medias/tag-editor";
import { LinkButton } from "~/ui/links";
import { PageHeader } from "~/ui/page-header";
import { EmptyState, ErrorState } from "~/ui/states";
import { Condition } from "./condition";
import { Facts } from "./facts";
import { MediaHeader } from "./header";
import { Jobs } from "./jobs";
import { Made } from "./made";
import { useMedia } from "./queries";
import { MediaSkeleton } from "./skeleton";
import { Stage } from "./stage";

/** One media: to look at or listen to, and everything that is known of it. */
export default function MediaPage() {
  const { id } = useParams({ from: "/library/$id" });
  const { pending, deleted, undoOf } = useDeletion();
  const media = useMedia(id, { enabled: !deleted.has(id) });

  if (deleted.has(id)) return <Gone />;
  if (pending.has(id)) return <Leaving undo={undoOf(id)} />;
  if (media.isPending) return <MediaSkeleton />;
  if (media.isError) {
    if (media.error instanceof ServiceError && media.error.status === 404) return <Gone />;
    return (
      <>
        <PageHeader title="Media" />
        <ErrorState error={media.error} retry={media.refetch} />
      </>
    );
  }
  return <Media key={id} media={media.data} />;
}

function Media({ media }: { media: LibraryMedia }) {
  return (
    <Stack gap="md">
      <MediaHeader media={media} />
      <Condition meta={metaOf(media)} />
      <Grid gap="lg">
        <Grid.Col span={{ base: 12, lg: 8 }}>
          <Stack gap="lg">
            <Stage media={media} />
            {media.key === "" && <TagEditor id={media.id} tags={media.tags} />}
            <Made media={media} />
            <Jobs media={media} />
          </Stack>
        </Grid.Col>
        <Grid.Col span={{ base: 12, lg: 4 }}>
          <Facts media={media} />
        </Grid.Col>
      </Grid>
    </Stack>
  );
}

function Leaving({ undo }: { undo: (() => void) | null }) {
  return (
    <>
      <PageHeader title="Media" />
      <EmptyState
        icon={IconTrash}
        title={undo === null ? "This media is being deleted" : "This media will be deleted"}
        action={undo !== null && <Button onClick={undo}>Undo</Button>}
      >
        It goes in some seconds, with everything that was made of it.
      </EmptyState>
    </>
  );
}

function Gone() {
  return (
    <>
      <PageHeader title="Media" />
      <EmptyState
        icon={IconPhotoOff}
        title="There is no such media"
        action={
          <LinkButton to="/library" variant="light">
            Go to the library
          </LinkButton>
        }
      >
        It may have been deleted, or the address is mistyped.
      </EmptyState>
    </>
  );
}
