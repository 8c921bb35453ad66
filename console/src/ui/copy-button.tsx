import { ActionIcon, Tooltip } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconCheck, IconCopy } from "@tabler/icons-react";
import { useEffect, useState } from "react";

const SHOWN_MILLISECONDS = 2_000;

/** A button that copies `value`; `label` says what that is, as in "Copy the BLAKE3 checksum". */
export function CopyButton({ value, label }: { value: string; label: string }) {
  const [copied, setCopied] = useState(false);

  useEffect(() => {
    if (!copied) return;
    const timer = window.setTimeout(() => setCopied(false), SHOWN_MILLISECONDS);
    return () => window.clearTimeout(timer);
  }, [copied]);

  return (
    <Tooltip label={copied ? "Copied" : label} withArrow>
      <ActionIcon
        variant="subtle"
        color={copied ? "teal" : "gray"}
        aria-label={copied ? "Copied" : label}
        onClick={() => copyText(value).then(() => setCopied(true), sayNotCopied)}
      >
        {copied ? <IconCheck size={16} aria-hidden /> : <IconCopy size={16} aria-hidden />}
      </ActionIcon>
    </Tooltip>
  );
}

/** Put a text into the clipboard. */
export async function copyText(text: string): Promise<void> {
  if (navigator.clipboard !== undefined) return navigator.clipboard.writeText(text);
  // Over plain HTTP to another machine browsers have no other way.
  const field = document.createElement("textarea");
  field.value = text;
  document.body.append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  if (!copied) throw new Error("The browser does not let this page copy.");
}

export function sayNotCopied(): void {
  notifications.show({
    color: "red",
    title: "Nothing was copied",
    message: "The browser does not let this page copy. Select the text and copy it yourself.",
  });
}
