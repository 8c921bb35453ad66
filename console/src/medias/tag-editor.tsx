import { Loader, TagsInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { messageOf } from "~/api/errors";
import { addTags, removeTags } from "~/api/library";
import { mediaKey } from "~/api/media";

interface Change {
  add: string[];
  remove: string[];
}

/** The tags of an original. Every change is saved at once; what is refused is taken back. */
export function TagEditor({ id, tags }: { id: string; tags: string[] }) {
  const queries = useQueryClient();
  const [unsaved, setUnsaved] = useState<string[] | null>(null);
  const [typed, setTyped] = useState("");
  const mutationKey = ["tags", id];
  const shown = unsaved ?? tags;

  const saving = useMutation({
    mutationKey,
    scope: { id: mutationKey.join(" ") },
    mutationFn: async ({ add, remove }: Change) => {
      if (add.length > 0) await addTags(id, add);
      if (remove.length > 0) await removeTags(id, remove);
    },
    // So that it can be put right.
    onError: (_, { add }) => setTyped(add.join(", ")),
    onSettled: async () => {
      await queries.invalidateQueries({ queryKey: mediaKey(id) });
      if (queries.isMutating({ mutationKey }) <= 1) setUnsaved(null);
    },
  });

  const change = (wanted: string[]) => {
    const tags = wanted.flatMap((tag) => tag.split(",")).map((tag) => tag.trim());
    const next = [...new Set(tags)].filter(Boolean);
    setUnsaved(next);
    saving.mutate({
      add: next.filter((tag) => !shown.includes(tag)),
      remove: shown.filter((tag) => !next.includes(tag)),
    });
  };

  return (
    <TagsInput
      label="Tags"
      description="Enter adds what you typed. Changes are saved at once."
      placeholder={shown.length === 0 ? "Add a tag" : undefined}
      value={shown}
      onChange={change}
      searchValue={typed}
      onSearchChange={setTyped}
      error={saving.isError && messageOf(saving.error)}
      rightSection={saving.isPending ? <Loader size={16} aria-label="Saving" /> : null}
    />
  );
}
