import { Stack } from "@mantine/core";
import { IconRuler2 } from "@tabler/icons-react";
import { lazyRouteComponent } from "@tanstack/react-router";
import { formatBytes } from "~/ui/format";
import { FilterPopover } from "./filter-popover";
import type { LibrarySearch } from "./search";

// Not React's own `lazy`: after an upgrade the part is not there any more, and this one loads the
// page anew then.
const SizeBound = lazyRouteComponent(() => import("./size-bound"));

interface SizeProps {
  search: LibrarySearch;
  change: (changed: Partial<LibrarySearch>) => void;
}

/** Between which sizes medias must be. */
export function SizeFilter({ search, change }: SizeProps) {
  const { minSize, maxSize } = search;
  return (
    <FilterPopover
      icon={<IconRuler2 size={16} aria-hidden />}
      said={describe(minSize, maxSize)}
      placeholder="Any size"
      preload={SizeBound.preload}
      flex="1 1 140px"
      loading={{ h: 132, w: 180 }}
    >
      <Stack gap="xs" w={180}>
        <SizeBound
          label="At least"
          value={minSize}
          setValue={(bytes) => change({ minSize: bytes })}
        />
        <SizeBound
          label="At most"
          value={maxSize}
          setValue={(bytes) => change({ maxSize: bytes })}
        />
      </Stack>
    </FilterPopover>
  );
}

function describe(least: number | null, most: number | null): string | null {
  if (least !== null && most !== null) return `${formatBytes(least)} to ${formatBytes(most)}`;
  if (least !== null) return `From ${formatBytes(least)}`;
  if (most !== null) return `Up to ${formatBytes(most)}`;
  return null;
}
