import { ActionIcon, Alert, Box, Button, Group, Text, Tooltip } from "@mantine/core";
import { IconDownload, IconSparkles } from "@tabler/icons-react";
import { useState } from "react";
import { messageOf } from "~/api/errors";
import type { LibraryItem, LibraryMedia } from "~/api/library";
import { LinkAnchor } from "~/ui/links";
import { Part } from "~/ui/part";
import { Bytes, Time } from "~/ui/values";
import classes from "./made.module.css";
import { type Making, missingOf } from "./making";
import { inOrder, purposeOf } from "./names";
import { useMediaJobs, useProcessing } from "./queries";

/** What was made of an original, and what else can be. */
export function Made({ media }: { media: LibraryMedia }) {
  const missing = missingOf(media);
  if (media.derived.length === 0 && missing.length === 0) return null;
  return (
    <Part title="Made of it">
      {media.derived.length > 0 && (
        <ul className={classes.list}>
          {inOrder(media.derived).map((item) => (
            <Derived key={item.id} item={item} />
          ))}
        </ul>
      )}
      {missing.length > 0 && <Missing media={media} missing={missing} />}
    </Part>
  );
}

function Derived({ item }: { item: LibraryItem }) {
  const label = `Download ${item.key}`;
  return (
    <li className={classes.derived}>
      <Box flex={1} miw={0}>
        <LinkAnchor to="/library/$id" params={{ id: item.id }} size="sm">
          {item.key}
        </LinkAnchor>
        <Text size="xs" c="dimmed">
          {purposeOf(item.key)}
        </Text>
      </Box>
      <Text size="sm" c="dimmed" component="div" visibleFrom="sm">
        <Time value={item.created_at} />
      </Text>
      <Text size="sm" component="div" w={72} ta="right">
        <Bytes value={item.size} />
      </Text>
      <Tooltip label={label} withArrow>
        <ActionIcon
          component="a"
          href={item.url}
          download={item.key}
          variant="subtle"
          color="gray"
          aria-label={label}
        >
          <IconDownload size={17} aria-hidden />
        </ActionIcon>
      </Tooltip>
    </li>
  );
}

/** What can be made of it, each by a click. */
function Missing({ media, missing }: { media: LibraryMedia; missing: Making[] }) {
  const processing = useProcessing(media);
  const jobs = useMediaJobs(media.id);
  const [asked, setAsked] = useState<Record<string, string>>({});

  const ask = ({ step }: Making) =>
    processing.mutate([step], { onSuccess: (job) => setAsked((old) => ({ ...old, [step]: job })) });
  const isUnderWay = (step: string) =>
    jobs.data?.some(({ id, status }) => id === asked[step] && LIVE.has(status));
  return (
    <>
      <Group gap="xs" mt={media.derived.length > 0 ? "sm" : 0}>
        <Text size="sm" c="dimmed">
          Make
        </Text>
        {missing.map((making) => (
          <Tooltip key={making.step} label={making.about} withArrow multiline maw={280}>
            <Button
              size="compact-sm"
              variant="default"
              leftSection={<IconSparkles size={14} aria-hidden />}
              loading={isUnderWay(making.step)}
              onClick={() => ask(making)}
            >
              {making.label}
            </Button>
          </Tooltip>
        ))}
      </Group>
      {processing.isError && (
        <Alert color="red" mt="xs" role="alert">
          {messageOf(processing.error)}
        </Alert>
      )}
    </>
  );
}

const LIVE = new Set(["pending", "running", "paused"]);
