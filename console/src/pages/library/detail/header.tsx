import { Box, Button, Group, Text, Title } from "@mantine/core";
import { IconDownload, IconTrash } from "@tabler/icons-react";
import { useNavigate } from "@tanstack/react-router";
import type { LibraryMedia } from "~/api/library";
import { CopyLink } from "~/medias/copy-link";
import { useDeletion } from "~/medias/deletion";
import { BackLink } from "~/ui/back-link";
import { formatClock } from "~/ui/format";
import { LinkAnchor } from "~/ui/links";
import { Bytes, Time } from "~/ui/values";
import classes from "./header.module.css";
import { titleOf } from "./names";

/** The name of a media, what it is in short, and what can be done with it. */
export function MediaHeader({ media }: { media: LibraryMedia }) {
  return (
    <div>
      <BackLink to="/library">Library</BackLink>
      <Group justify="space-between" align="flex-start" gap="sm">
        <Box flex="1 1 300px" miw={0}>
          <Title order={1} size="h2" style={{ overflowWrap: "anywhere" }}>
            {titleOf(media)}
          </Title>
          <About media={media} />
        </Box>
        <Actions media={media} />
      </Group>
    </div>
  );
}

function About({ media }: { media: LibraryMedia }) {
  const { of, mime_type, width, height, duration, size, created_at } = media;
  return (
    <Text c="dimmed" size="sm" component="div">
      {mime_type}
      {width !== null && height !== null && ` · ${width} × ${height}`}
      {duration !== null && ` · ${formatClock(duration)}`}
      {" · "}
      <Bytes value={size} />
      {" · added "}
      <Time value={created_at} />
      {of !== null && (
        <>
          {" · made of "}
          <LinkAnchor to="/library/$id" params={{ id: of.id }} inherit>
            {of.filename}
          </LinkAnchor>
        </>
      )}
    </Text>
  );
}

function Actions({ media }: { media: LibraryMedia }) {
  return (
    <Group gap="xs" className={classes.actions}>
      <Button
        px="sm"
        component="a"
        href={media.url}
        download={titleOf(media)}
        leftSection={<IconDownload size={17} aria-hidden />}
      >
        Download
      </Button>
      <CopyLink media={media} />
      {media.key === "" && <Delete media={media} />}
    </Group>
  );
}

function Delete({ media }: { media: LibraryMedia }) {
  const { remove } = useDeletion();
  const navigate = useNavigate();
  const leave = () => {
    remove([media]);
    void navigate({ to: "/library" });
  };
  return (
    <Button
      px="sm"
      variant="light"
      color="red"
      leftSection={<IconTrash size={17} aria-hidden />}
      onClick={leave}
    >
      Delete
    </Button>
  );
}
