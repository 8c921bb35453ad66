import { Group, Text, Tree, type TreeNodeData } from "@mantine/core";
import { IconChevronDown, IconChevronRight } from "@tabler/icons-react";
import { useMemo } from "react";
import type { MediaMeta } from "~/api/meta";
import { Part } from "~/ui/part";

/** What other places of the page show. */
const SHOWN = new Set([
  "kind",
  "format",
  "mime_type",
  "duration",
  "bit_rate",
  "video",
  "audio",
  "image",
  "coverage",
  "gaps",
  "warnings",
  "error",
]);

/** What else `meta` holds, as it is: where the media came from, and what clients said of it. */
export function MetaTree({ meta }: { meta: MediaMeta }) {
  const nodes = useMemo(
    () =>
      Object.entries(meta)
        .filter(([name]) => !SHOWN.has(name))
        .map(([name, value]) => nodeOf(name, value, name)),
    [meta],
  );
  if (nodes.length === 0) return null;
  return (
    <Part title="More">
      <Tree
        data={nodes}
        aria-label="Everything else that is known"
        renderNode={({ node, expanded, hasChildren, elementProps }) => (
          <Group gap={4} wrap="nowrap" align="flex-start" {...elementProps}>
            {hasChildren && <Chevron size={15} expanded={expanded} />}
            <Text size="sm" component="span" style={{ overflowWrap: "anywhere" }} miw={0}>
              {node.label}
            </Text>
          </Group>
        )}
      />
    </Part>
  );
}

function Chevron({ expanded, size }: { expanded: boolean; size: number }) {
  const Shown = expanded ? IconChevronDown : IconChevronRight;
  return <Shown size={size} style={{ flex: "none", marginTop: 3 }} aria-hidden />;
}

function nodeOf(name: string, value: unknown, path: string): TreeNodeData {
  if (typeof value !== "object" || value === null) {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    return { value: path, label: <Leaf name={name} text={text} /> };
  }
  const children = Object.entries(value).map(([key, inner]) => {
    return nodeOf(key, inner, `${path}/${key}`);
  });
  return { value: path, label: name, children };
}

function Leaf({ name, text }: { name: string; text: string }) {
  return (
    <>
      <Text span c="dimmed" inherit>
        {name}
      </Text>{" "}
      {text}
    </>
  );
}
