import { Alert, List, Text } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";
import type { MediaMeta } from "~/api/meta";
import { formatClock, formatDuration, formatPercent } from "~/ui/format";

/** What is wrong with a media: what is missing of it, and what was said about that. */
export function Condition({ meta }: { meta: MediaMeta }) {
  const { gaps = [], coverage } = meta;
  const warnings = [meta.error, ...(meta.warnings ?? [])].filter((said) => said !== undefined);
  const missing = coverage !== undefined && coverage < 0.98 ? coverage : null;
  if (warnings.length === 0 && gaps.length === 0 && missing === null) return null;
  return (
    <Alert
      color="orange"
      icon={<IconAlertTriangle aria-hidden />}
      title="Something is wrong with this file"
      role="status"
    >
      <List size="sm" spacing={4}>
        {warnings.map((warning) => (
          <List.Item key={warning}>{warning}</List.Item>
        ))}
        {missing !== null && (
          <List.Item>{formatPercent(missing)} of its bytes could be read.</List.Item>
        )}
      </List>
      {gaps.length > 0 && <Gaps gaps={gaps} />}
    </Alert>
  );
}

function Gaps({ gaps }: { gaps: [number, number][] }) {
  return (
    <Text size="sm" mt={4}>
      Without picture or sound:{" "}
      {gaps
        .map(([begin, end]) => {
          const length = formatDuration(end - begin);
          return `${formatClock(begin)} to ${formatClock(end)} (${length})`;
        })
        .join(", ")}
      .
    </Text>
  );
}
