import { Button, CloseButton, Group, Paper, Stack, TagsInput, Text } from "@mantine/core";
import { modals } from "@mantine/modals";
import { notifications } from "@mantine/notifications";
import { IconTag, IconTrash } from "@tabler/icons-react";
import { useState } from "react";
import { messageOf } from "~/api/errors";
import { addTags, type LibraryItem } from "~/api/library";
import { removeMedias } from "~/medias/deletion";
import { countOf } from "~/ui/format";
import classes from "./actions.module.css";
import type { Chosen } from "./selection";
import { useShownMedias } from "./shown";

const AT_ONCE = 4;

/** What can be done with all medias that are chosen. */
export function Actions({ chosen, clear }: { chosen: Chosen; clear: () => void }) {
  const [busy, setBusy] = useState(false);
  const shown = useShownMedias();
  if (chosen.size === 0) return null;
  const medias = [...chosen.values()];
  const many = countOf(medias.length, "media", "medias");

  async function tag(tags: string[]) {
    setBusy(true);
    const { done, errors } = await actOnAll(medias, (item) => addTags(item.id, tags));
    setBusy(false);
    clear();
    shown.replace(done.map((item) => ({ ...item, tags: [...new Set([...item.tags, ...tags])] })));
    if (errors.length === 0) return;
    notifications.show({
      color: "red",
      title: `${errors.length} of ${many} could not be tagged`,
      message: messageOf(errors[0]),
    });
  }

  function remove() {
    removeMedias(medias);
    clear();
  }

  const askTags = () =>
    modals.open({ modalId: "tags", title: `Tag ${many}`, children: <TagForm submit={tag} /> });

  return (
    <Paper className={classes.actions} shadow="lg" withBorder role="region" aria-label="Chosen">
      <Group gap="sm" wrap="nowrap">
        <CloseButton onClick={clear} aria-label="Choose none" />
        <Text size="sm" fw={600} role="status" style={{ whiteSpace: "nowrap" }}>
          {many}
        </Text>
        <Button
          size="xs"
          variant="light"
          loading={busy}
          leftSection={<IconTag size={16} aria-hidden />}
          onClick={askTags}
        >
          Tag
        </Button>
        <Button
          size="xs"
          variant="light"
          color="red"
          disabled={busy}
          leftSection={<IconTrash size={16} aria-hidden />}
          onClick={remove}
        >
          Delete
        </Button>
      </Group>
    </Paper>
  );
}

function TagForm({ submit }: { submit: (tags: string[]) => void }) {
  const [tags, setTags] = useState<string[]>([]);
  const [typed, setTyped] = useState("");
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        modals.close("tags");
        submit(tags);
      }}
    >
      <Stack gap="md">
        <TagsInput
          label="Tags to add"
          description="Enter or a comma ends a tag."
          value={tags}
          onChange={setTags}
          searchValue={typed}
          onSearchChange={setTyped}
          maxLength={100}
          data-autofocus
        />
        <Group justify="flex-end">
          <Button type="submit" disabled={tags.length === 0 && typed.trim() === ""}>
            Add
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

/** Do something with each media, some of them at a time. */
async function actOnAll(medias: LibraryItem[], act: (item: LibraryItem) => Promise<void>) {
  const waiting = [...medias];
  const done: LibraryItem[] = [];
  const errors: unknown[] = [];
  async function work() {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) {
      try {
        await act(item);
        done.push(item);
      } catch (error) {
        errors.push(error);
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { done, errors };
}
