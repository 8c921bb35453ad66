import {
  ActionIcon,
  Drawer,
  Group,
  Indicator,
  SegmentedControl,
  Select,
  TextInput,
  VisuallyHidden,
} from "@mantine/core";
import { useDisclosure, useMediaQuery } from "@mantine/hooks";
import {
  IconAdjustmentsHorizontal,
  IconLayoutGrid,
  IconList,
  IconSearch,
} from "@tabler/icons-react";
import { memo } from "react";
import { useDraft } from "~/ui/use-draft";
import { type FilterProps, Filters } from "./filters";
import { countFilters, SORTS, type Sort } from "./search";
import classes from "./toolbar.module.css";

export type View = "grid" | "table";

const VIEWS = {
  grid: { label: "Grid", icon: IconLayoutGrid },
  table: { label: "Table", icon: IconList },
};

interface ToolbarProps extends FilterProps {
  view: View;
  setView: (view: View) => void;
}

/** What is listed, in which order and how; it stays in sight. On phones most of it is in a drawer. */
export const Toolbar = memo(function Toolbar({ view, setView, ...filters }: ToolbarProps) {
  const { search, change } = filters;
  const narrow = useMediaQuery("(max-width: 48em)", undefined, { getInitialValueInEffect: false });
  const [opened, { open, close }] = useDisclosure();
  const [words, typeWords] = useDraft(search.q, (q) => change({ q }));

  const sort = (
    <Select
      aria-label="Order"
      data={Object.entries(SORTS).map(([value, label]) => ({ value, label }))}
      value={search.sort}
      onChange={(chosen) => chosen !== null && change({ sort: chosen as Sort })}
      allowDeselect={false}
      w={narrow ? "100%" : 170}
    />
  );

  return (
    <>
      <Group className={classes.toolbar} gap="sm" wrap="nowrap">
        <TextInput
          type="search"
          aria-label="Search by name"
          placeholder="Search by name"
          leftSection={<IconSearch size={16} aria-hidden />}
          value={words}
          onChange={(event) => typeWords(event.currentTarget.value)}
          flex={1}
        />
        {narrow ? (
          <Indicator label={countFilters(search)} disabled={countFilters(search) === 0} size={18}>
            <ActionIcon variant="default" size={36} onClick={open} aria-label="Filters">
              <IconAdjustmentsHorizontal size={18} aria-hidden />
            </ActionIcon>
          </Indicator>
        ) : (
          sort
        )}
        <ViewSwitch view={view} setView={setView} />
      </Group>
      {narrow ? (
        <Drawer opened={opened} onClose={close} title="Filters" position="bottom" size={350}>
          <Group gap="sm">
            {sort}
            <Filters {...filters} />
          </Group>
        </Drawer>
      ) : (
        <Filters {...filters} />
      )}
    </>
  );
});

function ViewSwitch({ view, setView }: { view: View; setView: (view: View) => void }) {
  return (
    <SegmentedControl
      aria-label="Show as"
      value={view}
      onChange={(chosen) => setView(chosen as View)}
      data={Object.entries(VIEWS).map(([value, { label, icon: Shown }]) => ({
        value,
        label: (
          <>
            <Shown size={17} stroke={1.6} aria-hidden className={classes.icon} />
            <VisuallyHidden>{label}</VisuallyHidden>
          </>
        ),
      }))}
    />
  );
}
