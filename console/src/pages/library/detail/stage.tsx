import { Center, Paper, Stack, Text, ThemeIcon } from "@mantine/core";
import { IconFile } from "@tabler/icons-react";
import type { LibraryMedia } from "~/api/library";
import { Picture } from "./picture";
import { Player } from "./player";

/** A media as it is meant to be perceived, as far as a browser can. */
export function Stage({ media }: { media: LibraryMedia }) {
  if (media.playable !== null) return <Player media={media} />;
  if (media.kind === "image") return <Picture media={media} />;
  return (
    <Paper withBorder>
      <Center py={64} px="md">
        <Stack align="center" gap="sm">
          <ThemeIcon size={56} radius="xl" variant="light" color="gray">
            <IconFile size={30} stroke={1.4} aria-hidden />
          </ThemeIcon>
          <Text c="dimmed" ta="center">
            Files of this type are not shown here. Download it to open it.
          </Text>
        </Stack>
      </Center>
    </Paper>
  );
}
