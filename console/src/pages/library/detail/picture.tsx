import { ActionIcon, Alert, Box, Button, Group, Stack, Text, Tooltip } from "@mantine/core";
import { useFullscreenElement } from "@mantine/hooks";
import {
  IconMaximize,
  IconMinimize,
  IconPhoto,
  IconZoomIn,
  IconZoomOut,
} from "@tabler/icons-react";
import { useState } from "react";
import type { LibraryMedia } from "~/api/library";
import { metaOf } from "~/api/meta";
import { formatPercent } from "~/ui/format";
import { titleOf } from "./names";
import classes from "./picture.module.css";
import { useZoom } from "./use-zoom";

/** A picture, whole at first; larger by buttons, by a click, or by the wheel with Ctrl. */
export function Picture({ media }: { media: LibraryMedia }) {
  const [isShown, setIsShown] = useState(true);
  const zoom = useZoom();
  const { ref: fullscreenRef, toggle, fullscreen } = useFullscreenElement();

  if (!isShown) return <NotShown media={media} />;
  return (
    <Stack gap="xs" ref={fullscreenRef} className={classes.picture}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys */}
      <section ref={zoom.frame} className={classes.frame} tabIndex={0} aria-label="View">
        {/* biome-ignore lint/a11y/useKeyWithClickEvents: the buttons do the same */}
        <img
          ref={zoom.image}
          className={zoom.scale === null ? classes.whole : classes.zoomed}
          style={zoom.style}
          src={media.url}
          alt={titleOf(media)}
          draggable={false}
          onClick={zoom.toggleAt}
          onError={() => setIsShown(false)}
        />
      </section>
      <Group gap="xs" justify="center">
        <Control label="Smaller" onClick={zoom.smaller}>
          <IconZoomOut size={18} aria-hidden />
        </Control>
        <Text size="sm" w={56} ta="center" aria-live="polite">
          {zoom.scale === null ? "Whole" : formatScale(zoom.scale)}
        </Text>
        <Control label="Larger" onClick={zoom.larger}>
          <IconZoomIn size={18} aria-hidden />
        </Control>
        <Button size="compact-sm" variant="default" onClick={zoom.fit}>
          Show it whole
        </Button>
        <Button size="compact-sm" variant="default" onClick={zoom.original}>
          100 %
        </Button>
        <Control label={fullscreen ? "Leave full screen" : "Full screen"} onClick={toggle}>
          {fullscreen ? (
            <IconMinimize size={18} aria-hidden />
          ) : (
            <IconMaximize size={18} aria-hidden />
          )}
        </Control>
      </Group>
    </Stack>
  );
}

function formatScale(scale: number): string {
  return scale < 1 ? formatPercent(scale) : `${Math.round(scale * 100)} %`;
}

function Control(props: { label: string; onClick: () => void; children: React.ReactNode }) {
  const { label, onClick, children } = props;
  return (
    <Tooltip label={label} withArrow>
      <ActionIcon variant="default" aria-label={label} onClick={onClick}>
        {children}
      </ActionIcon>
    </Tooltip>
  );
}

function NotShown({ media }: { media: LibraryMedia }) {
  const { thumbnail, url } = media;
  const { format = "this picture" } = metaOf(media);
  const hasThumbnail = thumbnail !== null && thumbnail !== url;
  return (
    <Stack gap="xs">
      {hasThumbnail && (
        <Box className={classes.frame}>
          <img className={classes.whole} src={thumbnail} alt={titleOf(media)} />
        </Box>
      )}
      <Alert
        color="gray"
        icon={<IconPhoto aria-hidden />}
        title={`This browser cannot show ${format.toUpperCase()}`}
        role="status"
      >
        {hasThumbnail
          ? "Above is its thumbnail. Download it to see it in full."
          : "Download it to see it, or make a thumbnail of it below."}
      </Alert>
    </Stack>
  );
}
