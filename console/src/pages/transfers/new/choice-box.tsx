import { Checkbox, Tooltip } from "@mantine/core";
import type { FolderEntry } from "~/api/folders";
import { type Chosen, comesAlong, withEntry, withoutPath } from "~/pages/transfers/new/choice";

interface Props {
  entry: FolderEntry;
  chosen: Chosen[];
  onChange: (chosen: Chosen[]) => void;
}

/** The box that takes an entry along. */
export function ChoiceBox({ entry, chosen, onChange }: Props) {
  const { path, name } = entry;
  const included = path !== null && comesAlong(chosen, path);
  const checked = included || chosen.some((one) => one.path === path);
  const box = (
    <Checkbox
      aria-label={`Transfer ${name}`}
      checked={checked}
      disabled={path === null || included}
      onChange={() => {
        if (path === null) return;
        onChange(checked ? withoutPath(chosen, path) : withEntry(chosen, { ...entry, path }));
      }}
    />
  );
  if (!included) return box;
  return (
    <Tooltip label="It comes along with its folder.">
      <span>{box}</span>
    </Tooltip>
  );
}
