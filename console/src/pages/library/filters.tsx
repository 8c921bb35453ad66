import { Chip, Group, TagsInput } from "@mantine/core";
import { DatePickerInput } from "@mantine/dates";
import { IconCalendar, IconTag } from "@tabler/icons-react";
import dayjs from "dayjs";
import type { LibraryKind } from "~/api/library";
import { MEDIA_KINDS } from "~/ui/media-kind";
import type { LibrarySearch } from "./search";
import { SizeFilter } from "./size-filter";
import "@mantine/dates/styles.css";

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
      <DatePickerInput
        type="range"
        placeholder="Any date"
        leftSection={<IconCalendar size={16} aria-hidden />}
        valueFormat="D MMM YY"
        value={[search.since, search.until]}
        onChange={([since, until]) => change({ since, until })}
        presets={presets()}
        allowSingleDateInRange
        clearable
        clearButtonProps={{ "aria-label": "Any date" }}
        flex="1 1 250px"
      />
      <SizeFilter search={search} change={change} />
    </Group>
  );
}

function presets() {
  const today = dayjs();
  const back = (days: number) => today.subtract(days, "day").format("YYYY-MM-DD");
  return [
    { value: [back(0), back(0)] as [string, string], label: "Today" },
    { value: [back(6), back(0)] as [string, string], label: "Last 7 days" },
    { value: [back(29), back(0)] as [string, string], label: "Last 30 days" },
    { value: [back(364), back(0)] as [string, string], label: "Last year" },
  ];
}
