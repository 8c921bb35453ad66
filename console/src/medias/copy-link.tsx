import { Button, Menu } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconFile, IconLink, IconWindow } from "@tabler/icons-react";
import type { LibraryItem } from "~/api/library";
import { copyText, sayNotCopied } from "~/ui/copy-button";

/** A menu of the addresses that a media has, for the clipboard. */
export function CopyLink({ media }: { media: Pick<LibraryItem, "id" | "url"> }) {
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <Button px="sm" variant="default" leftSection={<IconLink size={17} aria-hidden />}>
          Copy link
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item
          leftSection={<IconWindow size={16} aria-hidden />}
          onClick={() => copyLink(linkToPage(media.id))}
        >
          To this page
        </Menu.Item>
        <Menu.Item
          leftSection={<IconFile size={16} aria-hidden />}
          onClick={() => copyLink(linkToFile(media.url))}
        >
          To the file itself
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

/** The address of the page that shows a media. */
export function linkToPage(id: string): string {
  return new URL(`/#/library/${id}`, window.location.href).href;
}

/** The address of a media's bytes, of its path. */
export function linkToFile(path: string): string {
  return new URL(path, window.location.href).href;
}

export function copyLink(link: string): Promise<void> {
  return copyText(link).then(
    () => void notifications.show({ role: "status", message: "The link was copied." }),
    sayNotCopied,
  );
}
