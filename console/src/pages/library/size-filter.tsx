import { Input, NumberInput, Popover, Stack } from "@mantine/core";
import { IconRuler2 } from "@tabler/icons-react";
import { formatBytes } from "~/ui/format";
import { useDraft } from "~/ui/use-draft";
import type { LibrarySearch } from "./search";

const MIB = 2 ** 20;

interface SizeProps {
  search: LibrarySearch;
  change: (changed: Partial<LibrarySearch>) => void;
}

/** Between which sizes medias must be. */
export function SizeFilter({ search, change }: SizeProps) {
  const { minSize, maxSize } = search;
  const said = describe(minSize, maxSize);
  return (
    <Popover position="bottom-start" shadow="md" trapFocus withinPortal>
      <Popover.Target>
        <Input
          component="button"
          type="button"
          pointer
          leftSection={<IconRuler2 size={16} aria-hidden />}
          flex="1 1 140px"
        >
          {said ?? <Input.Placeholder>Any size</Input.Placeholder>}
        </Input>
      </Popover.Target>
      <Popover.Dropdown>
        <Stack gap="xs" w={180}>
          <Bound
            label="At least"
            value={minSize}
            setValue={(bytes) => change({ minSize: bytes })}
          />
          <Bound label="At most" value={maxSize} setValue={(bytes) => change({ maxSize: bytes })} />
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}

interface BoundProps {
  label: string;
  value: number | null;
  setValue: (bytes: number | null) => void;
}

function Bound({ label, value, setValue }: BoundProps) {
  const [draft, type] = useDraft(value, setValue);
  return (
    <NumberInput
      label={label}
      suffix=" MiB"
      placeholder="Any size"
      min={0}
      decimalScale={3}
      allowNegative={false}
      value={draft === null ? "" : draft / MIB}
      onChange={(typed) => type(typed === "" ? null : Math.round(Number(typed) * MIB))}
    />
  );
}

function describe(least: number | null, most: number | null): string | null {
  if (least !== null && most !== null) return `${formatBytes(least)} to ${formatBytes(most)}`;
  if (least !== null) return `From ${formatBytes(least)}`;
  if (most !== null) return `Up to ${formatBytes(most)}`;
  return null;
}
