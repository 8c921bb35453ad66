import { Chip, Group, TagsInput } from "@mantine/core";
import { IconTag } from "@tabler/icons-react";
import type { LibraryKind } from "~/api/library";
import { MEDIA_KINDS } from "~/ui/media-kind";
import { DateFilter } from "./date-filter";
import type { LibrarySearch } from "./search";
import { SizeFilter } from "./size-filter";

export interface FilterProps {
  search: LibrarySearch;
  change: (changed: Partial<LibrarySearch>) => void;
  /** Tags that are worth proposing. */
  tags: string[];
}

/** What medias must be like to be listed, besides their name. */
export function Filters({ search, change, tags }: FilterProps) {
  return (
    <Group gap="sm" align="center">
      <Chip.Group
        multiple
        value={search.kinds}
        onChange={(kinds) => change({ kinds: kinds as LibraryKind[] })}
      >
        <Group gap={6} role="group" aria-label="Type">
          {Object.entries(MEDIA_KINDS).map(([kind, { label }]) => (
            <Chip key={kind} value={kind} size="sm" variant="light">
              {label}
            </Chip>
          ))}
        </Group>
      </Chip.Group>
      <TagsInput
        aria-label="Tags"
        placeholder={search.tags.length === 0 ? "All of these tags" : undefined}
        leftSection={<IconTag size={16} aria-hidden />}
        value={search.tags}
        onChange={(chosen) => change({ tags: chosen })}
        data={tags}
        isDuplicate={(tag, others) => others.includes(tag)}
        clearable
        styles={{ inputField: { minWidth: 40 } }}
        flex="3 1 180px"
      />
      <DateFilter search={search} change={change} />
      <SizeFilter search={search} change={change} />
    </Group>
  );
}
