import { Input, Popover, Skeleton } from "@mantine/core";
import { type ReactNode, Suspense } from "react";

interface FilterPopoverProps {
  icon: ReactNode;
  /** What is chosen; null for no choice. */
  said: string | null;
  placeholder: string;
  /** Begin to load what is in it: somebody is about to open it. */
  preload: (() => unknown) | undefined;
  clear?: ReactNode;
  flex: string;
  /** What is shown while it loads, in pixels. */
  loading: { h: number; w: number };
  children: ReactNode;
}

/** A filter that is a line until it is opened, and is loaded then: most people never do. */
export function FilterPopover(props: FilterPopoverProps) {
  const { icon, said, placeholder, preload, clear, flex, loading, children } = props;
  return (
    <Popover position="bottom-start" shadow="md" trapFocus withinPortal>
      <Popover.Target>
        <Input
          component="button"
          type="button"
          pointer
          onPointerEnter={preload}
          onFocus={preload}
          leftSection={icon}
          rightSection={said !== null && clear}
          rightSectionPointerEvents="all"
          flex={flex}
        >
          {said ?? <Input.Placeholder>{placeholder}</Input.Placeholder>}
        </Input>
      </Popover.Target>
      <Popover.Dropdown>
        <Suspense fallback={<Skeleton {...loading} />}>{children}</Suspense>
      </Popover.Dropdown>
    </Popover>
  );
}
