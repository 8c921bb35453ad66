import { Group } from "@mantine/core";
import { IconChevronLeft } from "@tabler/icons-react";
import { LinkAnchor } from "~/ui/links";

interface Props {
  to: "/library" | "/transfers" | "/sync" | "/jobs";
  children: string;
}

/** From one of many back to all of them; it stands above the page's name. */
export function BackLink({ to, children }: Props) {
  return (
    <LinkAnchor to={to} size="sm" c="dimmed">
      <Group gap={2} component="span" display="inline-flex">
        <IconChevronLeft size={15} aria-hidden />
        {children}
      </Group>
    </LinkAnchor>
  );
}
