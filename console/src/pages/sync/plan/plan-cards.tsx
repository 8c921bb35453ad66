import { Alert, Paper, SimpleGrid, Text } from "@mantine/core";
import {
  type Icon,
  IconAlertTriangle,
  IconCheck,
  IconCopy,
  IconPencil,
  IconTrash,
  IconUpload,
} from "@tabler/icons-react";
import type { Plan } from "~/api/sync";
import { DANGER } from "~/ui/danger";
import { countOf, formatBytes, formatCount } from "~/ui/format";

type Kind = "delete" | "upload" | "update" | "copy" | "skip";

const KINDS: { kind: Kind; label: string; icon: Icon }[] = [
  { kind: "delete", label: "Deleted", icon: IconTrash },
  { kind: "upload", label: "Uploaded", icon: IconUpload },
  { kind: "update", label: "Overwritten", icon: IconPencil },
  { kind: "copy", label: "Copied in the bucket", icon: IconCopy },
  { kind: "skip", label: "Left as they are", icon: IconCheck },
];

/** How much a plan does of each kind, the deletions first. */
export function PlanCards({ plan }: { plan: Plan }) {
  return (
    <>
      <SimpleGrid cols={{ base: 2, sm: 3, lg: 5 }} spacing="sm">
        {KINDS.map(({ kind, label, icon: Shown }) => {
          const { files, bytes } = plan[kind];
          const alarming = kind === "delete" && files > 0;
          return (
            <Paper key={kind} withBorder p="sm" bd={alarming ? `1px solid ${DANGER}` : undefined}>
              <Text size="xs" c={alarming ? DANGER : "dimmed"}>
                <Shown size={13} aria-hidden /> {label}
              </Text>
              <Text size="xl" fw={700} c={alarming ? DANGER : undefined}>
                {formatCount(files)}
              </Text>
              <Text size="xs" c="dimmed">
                {formatBytes(bytes)}
              </Text>
            </Paper>
          );
        })}
      </SimpleGrid>
      <Warnings plan={plan} />
    </>
  );
}

function Warnings({ plan }: { plan: Plan }) {
  const { empty, foreign, ignored, objects } = plan;
  return (
    <>
      {empty && objects > 0 && (
        <Alert
          color="red"
          icon={<IconAlertTriangle aria-hidden />}
          title="The source is missing or empty"
        >
          The bucket itself goes away, with all it has. A disk that is not mounted looks just like
          that: make sure that it is meant.
        </Alert>
      )}
      {foreign > 0 && (
        <Alert color="orange" icon={<IconAlertTriangle aria-hidden />}>
          {countOf(foreign, "object")} of those to delete were not uploaded by Mediatheque. They are
          left alone unless the operator allows it.
        </Alert>
      )}
      {ignored > 0 && (
        <Text size="sm" c="dimmed">
          {countOf(ignored, "entry", "entries")} of the folder are no files (links, pipes, devices)
          and are left out.
        </Text>
      )}
    </>
  );
}
