import { Input, Popover, Skeleton, Stack } from "@mantine/core";
import { IconRuler2 } from "@tabler/icons-react";
import { lazyRouteComponent } from "@tanstack/react-router";
import { Suspense } from "react";
import { formatBytes } from "~/ui/format";
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
  const said = describe(minSize, maxSize);
  return (
    <Popover position="bottom-start" shadow="md" trapFocus withinPortal>
      <Popover.Target>
        <Input
          component="button"
          type="button"
          pointer
          onPointerEnter={SizeBound.preload}
          onFocus={SizeBound.preload}
          leftSection={<IconRuler2 size={16} aria-hidden />}
          flex="1 1 140px"
        >
          {said ?? <Input.Placeholder>Any size</Input.Placeholder>}
        </Input>
      </Popover.Target>
      <Popover.Dropdown>
        <Stack gap="xs" w={180}>
          <Suspense fallback={<Skeleton h={132} />}>
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
          </Suspense>
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}

function describe(least: number | null, most: number | null): string | null {
  if (least !== null && most !== null) return `${formatBytes(least)} to ${formatBytes(most)}`;
  if (least !== null) return `From ${formatBytes(least)}`;
  if (most !== null) return `Up to ${formatBytes(most)}`;
  return null;
}
