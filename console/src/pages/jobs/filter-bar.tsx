import { Button, Chip, Collapse, Group, Indicator, Paper, TagsInput, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconAdjustmentsHorizontal, IconFilterOff } from "@tabler/icons-react";
import { JOB_CLASSES } from "./about-job";
import classes from "./filter-bar.module.css";
import { type Chosen, countRare, listOf, STATUSES, textOf } from "./filters";
import { MoreFilters } from "./more-filters";
import { SortChoice } from "./sort-choice";

/** What the list of jobs is narrowed to, and its order. */
export function FilterBar(props: {
  chosen: Chosen;
  choose: (changed: Chosen) => void;
  clear: () => void;
  sort: string;
  setSort: (sort: string) => void;
}) {
  const { chosen, choose, clear, sort, setSort } = props;
  const rare = countRare(chosen);
  const [opened, { toggle }] = useDisclosure(rare > 0);
  return (
    <Paper withBorder p="sm" mb="md">
      <fieldset className={classes.group}>
        <Text component="legend" size="sm" fw={600} mb={6}>
          Status
        </Text>
        <Chip.Group
          multiple
          value={listOf(chosen.status)}
          onChange={(picked) => choose({ status: textOf(picked) })}
        >
          <Group gap={6}>
            {STATUSES.map((status) => (
              <Chip key={status} value={status} size="xs" variant="light">
                {status}
              </Chip>
            ))}
          </Group>
        </Chip.Group>
      </fieldset>
      <Group gap="sm" mt="sm" align="flex-end">
        <TagsInput
          label="Class"
          placeholder={chosen.job_class === undefined ? "any" : ""}
          data={JOB_CLASSES}
          value={listOf(chosen.job_class)}
          onChange={(picked) => choose({ job_class: textOf(picked) })}
          clearable
          className={classes.wide}
        />
        <SortChoice sort={sort} setSort={setSort} />
        <Group gap="xs" ml="auto">
          {Object.keys(chosen).length > 0 && (
            <Button
              variant="subtle"
              color="gray"
              leftSection={<IconFilterOff size={16} aria-hidden />}
              onClick={clear}
            >
              Clear filters
            </Button>
          )}
          <Indicator label={rare} size={16} disabled={rare === 0 || opened}>
            <Button
              variant="default"
              leftSection={<IconAdjustmentsHorizontal size={16} aria-hidden />}
              aria-expanded={opened}
              onClick={toggle}
            >
              {opened ? "Fewer filters" : "More filters"}
            </Button>
          </Indicator>
        </Group>
      </Group>
      <Collapse expanded={opened}>
        {opened && <MoreFilters chosen={chosen} choose={choose} />}
      </Collapse>
    </Paper>
  );
}
