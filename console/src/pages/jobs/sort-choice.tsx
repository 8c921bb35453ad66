import { ActionIcon, Group, Select } from "@mantine/core";
import { IconSortAscending, IconSortDescending } from "@tabler/icons-react";
import { reversed, SORTS } from "./filters";

/** The order of the list: by what, and which end first. */
export function SortChoice(props: { sort: string; setSort: (sort: string) => void }) {
  const { sort, setSort } = props;
  const descending = sort.startsWith("-");
  const field = descending ? sort.slice(1) : sort;
  const Shown = descending ? IconSortDescending : IconSortAscending;
  return (
    <Group gap={4} align="flex-end" wrap="nowrap">
      <Select
        label="Sort by"
        data={SORTS}
        value={field}
        onChange={(picked) => picked !== null && setSort(descending ? `-${picked}` : picked)}
        allowDeselect={false}
        w={150}
      />
      <ActionIcon
        variant="default"
        size={36}
        aria-label={descending ? "Largest or latest first" : "Smallest or earliest first"}
        onClick={() => setSort(reversed(sort))}
      >
        <Shown size={18} aria-hidden />
      </ActionIcon>
    </Group>
  );
}
