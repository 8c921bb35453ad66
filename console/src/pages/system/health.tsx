import { Alert, Group, List, Paper, Progress, SimpleGrid, Text, ThemeIcon } from "@mantine/core";
import {
  type Icon,
  IconAlertTriangle,
  IconCheck,
  IconDatabase,
  IconDeviceFloppy,
  IconPackage,
  IconSettingsAutomation,
  IconX,
} from "@tabler/icons-react";
import type { ReactNode } from "react";
import type { System } from "~/api/system";
import { countOf, formatBytes } from "~/ui/format";

const NEARLY_FULL = 0.9;

/** How each part of the service stands, in words, with what to do where it does not stand well. */
export function Health({ system }: { system: System }) {
  const { checks, warnings } = system.ready;
  const running = system.workers.reduce((sum, worker) => sum + worker.running, 0);
  return (
    <>
      <SimpleGrid cols={{ base: 1, xs: 2, lg: 4 }} spacing="sm">
        <Check icon={IconDatabase} name="Database" state={checks.database}>
          It answers. What is known of medias and jobs is in it.
        </Check>
        <Check icon={IconPackage} name="Store" state={checks.store}>
          It takes and gives bytes.
        </Check>
        <Check icon={IconSettingsAutomation} name="Job workers" state={checks.jobs}>
          {countOf(system.workers.length, "worker")} at work, {countOf(running, "job")} under way.
        </Check>
        <Check icon={IconDeviceFloppy} name="Disk" state={checks.disk}>
          {system.disk === null ? (
            "The store has no disk of this machine that could get full."
          ) : (
            <DiskBar {...system.disk} />
          )}
        </Check>
      </SimpleGrid>
      {warnings.length > 0 && (
        <Alert
          color="yellow"
          icon={<IconAlertTriangle aria-hidden />}
          title="Good to know"
          role="status"
        >
          <List size="sm">
            {warnings.map((warning) => (
              <List.Item key={warning}>{warning}</List.Item>
            ))}
          </List>
        </Alert>
      )}
    </>
  );
}

function Check(props: {
  icon: Icon;
  name: string;
  state: string | undefined;
  children: ReactNode;
}) {
  const { icon: Shown, name, state, children } = props;
  const well = state === "ok";
  return (
    <Paper withBorder p="md" component="section" aria-label={name}>
      <Group gap="xs" wrap="nowrap" mb={6}>
        <Shown size={20} stroke={1.5} aria-hidden />
        <Text fw={600} flex={1}>
          {name}
        </Text>
        <ThemeIcon size={22} radius="xl" color={well ? "teal" : "red"} variant="light">
          {well ? (
            <IconCheck size={14} role="img" aria-label="well" />
          ) : (
            <IconX size={14} role="img" aria-label="not well" />
          )}
        </ThemeIcon>
      </Group>
      <Text size="sm" component="div" c={well ? "dimmed" : undefined}>
        {well ? children : state}
      </Text>
    </Paper>
  );
}

function DiskBar({ free_bytes, total_bytes }: { free_bytes: number; total_bytes: number }) {
  const used = total_bytes === 0 ? 0 : 1 - free_bytes / total_bytes;
  return (
    <>
      <Progress
        value={used * 100}
        color={used > NEARLY_FULL ? "orange" : "blue"}
        aria-label="Used part of the disk"
        mt={4}
        mb={6}
      />
      {formatBytes(free_bytes)} of {formatBytes(total_bytes)} free
      {used > NEARLY_FULL && ". Free some, or move to a larger store."}
    </>
  );
}
