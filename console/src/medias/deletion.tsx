import { Button, Group, Stack, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useSyncExternalStore } from "react";
import { messageOf } from "~/api/errors";
import { type Deletion, type Doomed, deletions, type Failure } from "~/medias/deletions";
import { countOf } from "~/ui/format";

/**
 * Deletion that can be undone for some seconds, also after other pages have been opened.
 *
 * `pending` holds the ids of the medias that will be, or are being, deleted, `deleted` of those
 * that were: none of them is to be shown. `undoOf(id)` brings one back for as long as nothing was
 * sent; it is null afterwards.
 */
export function useDeletion() {
  const pending = useSyncExternalStore(deletions.watch, () => deletions.pending);
  const deleted = useSyncExternalStore(deletions.watch, () => deletions.deleted);
  return { pending, deleted, remove: removeMedias, undoOf };
}

/** Delete medias, with what was made of them, unless it is undone while it is announced. */
export function removeMedias(medias: readonly Doomed[]): void {
  const notice = `deletion-${medias[0]?.id}`;
  const deletion = deletions.plan(medias, {
    begun: () => notifications.hide(notice),
    ended: (failures) => sayHowItEnded(medias, failures),
  });
  const undo = () => {
    deletion.undo();
    notifications.hide(notice);
  };
  notifications.show({
    id: notice,
    role: "status",
    message: <Announcement medias={medias} undo={undo} />,
    autoClose: false,
    allowClose: false,
    priority: 1,
    onMouseEnter: deletion.hold,
    onMouseLeave: deletion.run,
    onFocusCapture: deletion.hold,
    onBlurCapture: deletion.run,
  });
}

/** Return what brings a media back that is to be deleted; null when there is nothing to undo. */
function undoOf(id: string): (() => void) | null {
  const deletion: Deletion | undefined = deletions.waitingFor(id);
  if (deletion === undefined) return null;
  return () => {
    deletion.undo();
    notifications.hide(`deletion-${deletion.medias[0]?.id}`);
  };
}

function Announcement({ medias, undo }: { medias: readonly Doomed[]; undo: () => void }) {
  return (
    <Group justify="space-between" wrap="nowrap" gap="sm">
      <Text size="sm" style={{ overflowWrap: "anywhere" }}>
        {nameOf(medias)} will be deleted.
      </Text>
      <Button size="compact-sm" variant="light" flex="none" onClick={undo}>
        Undo
      </Button>
    </Group>
  );
}

function sayHowItEnded(medias: readonly Doomed[], failures: Failure[]): void {
  const deleted = medias.filter((media) => !failures.some((failure) => failure.media === media));
  if (deleted.length > 0) {
    notifications.show({ color: "teal", role: "status", message: `${nameOf(deleted)} deleted.` });
  }
  const [first] = failures;
  if (first === undefined) return;
  const kept = failures.map(({ media }) => media);
  const notice = `not-deleted-${first.media.id}`;
  const again = () => {
    notifications.hide(notice);
    removeMedias(kept);
  };
  notifications.show({
    id: notice,
    color: "red",
    title: `${nameOf(kept)} not deleted`,
    message: (
      <Stack gap="xs" align="flex-start">
        <Text size="sm">{messageOf(first.error)}</Text>
        <Button size="compact-sm" variant="light" onClick={again}>
          Try again
        </Button>
      </Stack>
    ),
    autoClose: false,
  });
}

function nameOf(medias: readonly Doomed[]): string {
  const [first, second] = medias;
  return first !== undefined && second === undefined
    ? `“${first.filename}”`
    : countOf(medias.length, "media");
}
