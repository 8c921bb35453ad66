import { Alert, Box, Group, Paper, SegmentedControl, Stack, Text } from "@mantine/core";
import { IconPlayerPlay } from "@tabler/icons-react";
import { useEffect, useRef, useState } from "react";
import type { LibraryMedia } from "~/api/library";
import { metaOf } from "~/api/meta";
import { titleOf } from "./names";
import classes from "./player.module.css";
import { play, type Source, sourcesOf } from "./sources";
import { Waveform } from "./waveform";

/** A film or a sound to play. What cannot be played gives way to the next best there is. */
export function Player({ media }: { media: LibraryMedia }) {
  const { sources, source, choose, fail } = useSources(media);
  const [element, setElement] = useState<HTMLMediaElement | null>(null);
  usePlaying(element, source, fail);

  if (source === undefined) return <NotPlayable media={media} />;
  const controls = {
    ref: setElement,
    controls: true,
    preload: "metadata",
    "aria-label": titleOf(media),
  } as const;
  return (
    <Stack gap="xs">
      {media.kind === "video" ? (
        <video
          {...controls}
          className={classes.video}
          style={{ aspectRatio: ratioOf(media) }}
          poster={media.thumbnail ?? undefined}
          playsInline
        />
      ) : (
        <Paper withBorder p="md">
          <Stack gap="sm">
            {media.waveform === null && <Cover media={media} />}
            {media.waveform !== null && <Waveform url={media.waveform} element={element} />}
            <audio {...controls} className={classes.audio} />
          </Stack>
        </Paper>
      )}
      {media.kind === "video" && media.waveform !== null && (
        <Paper withBorder p="xs">
          <Waveform url={media.waveform} element={element} height={56} />
        </Paper>
      )}
      {sources.length > 1 && (
        <Group gap="xs">
          <Text size="xs" c="dimmed" id="played">
            Playing
          </Text>
          <SegmentedControl
            size="xs"
            aria-labelledby="played"
            value={source.url}
            onChange={choose}
            data={sources.map(({ label, url }) => ({ label, value: url }))}
          />
        </Group>
      )}
    </Stack>
  );
}

/** What there is to play, and what of it is played: the best at first, for as long as it can be. */
function useSources(media: LibraryMedia) {
  const sources = sourcesOf(media);
  // What is made while somebody watches does not interrupt it.
  const [chosen, setChosen] = useState(sources[0]?.url);
  const [failed, setFailed] = useState<ReadonlySet<string>>(new Set());
  const left = sources.filter(({ url }) => !failed.has(url));
  const source = left.find(({ url }) => url === chosen) ?? left[0];
  const choose = (url: string) => {
    setFailed(new Set());
    setChosen(url);
  };
  const fail = () => {
    if (source !== undefined) setFailed(new Set([...failed, source.url]));
  };
  return { sources, source, choose, fail };
}

/** Let an element play a source; another one goes on where the one before was. */
function usePlaying(
  element: HTMLMediaElement | null,
  source: Source | undefined,
  fail: () => void,
): void {
  const at = useRef(0);
  const failed = useRef(fail);
  useEffect(() => {
    failed.current = fail;
  });
  const kind = source?.kind;
  const url = source?.url;
  useEffect(() => {
    if (element === null || kind === undefined || url === undefined) return;
    const fail = () => failed.current();
    const stop = play(element, { kind, url, at: at.current, failed: fail });
    element.addEventListener("error", fail);
    return () => {
      element.removeEventListener("error", fail);
      at.current = element.currentTime;
      stop();
    };
  }, [element, kind, url]);
}

function ratioOf({ width, height }: LibraryMedia): string | undefined {
  return width !== null && height !== null ? `${width} / ${height}` : undefined;
}

function Cover({ media }: { media: LibraryMedia }) {
  if (media.thumbnail === null) return null;
  return (
    <Box ta="center">
      <img className={classes.cover} src={media.thumbnail} alt="" />
    </Box>
  );
}

function NotPlayable({ media }: { media: LibraryMedia }) {
  const { format, video, audio } = metaOf(media);
  const codecs = [video?.codec, audio?.codec].filter(Boolean).join(" and ");
  return (
    <Stack gap="xs">
      {media.thumbnail !== null && <img className={classes.cover} src={media.thumbnail} alt="" />}
      <Alert
        color="gray"
        icon={<IconPlayerPlay aria-hidden />}
        title="This browser cannot play it"
        role="status"
      >
        {format !== undefined && `It is ${[format, codecs].filter(Boolean).join(" with ")}. `}
        Download it and play it with a player on your computer.
      </Alert>
    </Stack>
  );
}
