import { Badge, Grid, Group, Paper, SimpleGrid, Stack, Text } from "@mantine/core";
import type { Sync } from "~/api/sync";
import { SyncProgress, SyncStatus } from "~/pages/sync/status";
import { operationsOf, outcomeOf } from "~/pages/sync/words";
import { Fact } from "~/ui/fact";
import { countOf, formatCount, formatDuration } from "~/ui/format";
import { RatePanel } from "~/ui/rate-chart";
import { useGrowthSamples } from "~/ui/rate-samples";
import { Bytes, Time } from "~/ui/values";

const PHASES: Record<Sync["phase"], string> = {
  planning: "Comparing the folder with the bucket",
  uploading: "Uploading what is new",
  updating: "Uploading what changed",
  deleting: "Deleting what is gone",
  watching: "Waiting for changes of the folder",
};

interface Props {
  sync: Sync;
  paused: boolean;
  /** Bytes, with those of files that are not whole yet. */
  sent: number;
  /** When it was so, in milliseconds since 1970. */
  at: number;
}

/** How far a sync is, in numbers and as a drawing of its rate. */
export function Overview({ sync, paused, sent, at }: Props) {
  const running = outcomeOf(sync) === "running";
  const samples = useGrowthSamples(running ? sent : null, at);
  const drawn = !sync.dry_run && (running || samples.length > 1);
  return (
    <Grid>
      <Grid.Col span={{ base: 12, lg: drawn ? 7 : 12 }}>
        <Paper withBorder p="md" h="100%">
          <Stack>
            <Group justify="space-between">
              <SyncStatus sync={sync} paused={paused} />
              {running && !paused && (
                <Text size="sm" role="status">
                  {PHASES[sync.phase]}
                </Text>
              )}
            </Group>
            {!sync.dry_run && <SyncProgress sync={sync} paused={paused} />}
            <Facts sync={sync} sent={sent} at={at} />
            <Options sync={sync} />
          </Stack>
        </Paper>
      </Grid.Col>
      {drawn && (
        <Grid.Col span={{ base: 12, lg: 5 }}>
          <RatePanel samples={samples} />
        </Grid.Col>
      )}
    </Grid>
  );
}

function Facts({ sync, sent, at }: Omit<Props, "paused">) {
  const { plan, done, failed, started_at: started, finished_at: ended } = sync;
  const end = ended === null ? at : Date.parse(ended);
  const seconds = started === null ? null : Math.max(end - Date.parse(started), 0) / 1000;
  return (
    <SimpleGrid cols={{ base: 2, xs: 4 }} spacing="md" verticalSpacing="sm">
      {!sync.dry_run && (
        <>
          <Fact label="Operations done">
            {formatCount(done.files)}
            {plan !== null && ` of ${formatCount(operationsOf(plan))}`}
          </Fact>
          <Fact label="Sent">
            <Bytes value={sent} />
          </Fact>
          <Fact label="Failed">{formatCount(failed)}</Fact>
        </>
      )}
      <Fact label="Objects before">{plan === null ? "–" : formatCount(plan.objects)}</Fact>
      <Fact label="Started">
        <Time value={started} />
      </Fact>
      <Fact label={ended === null ? "For" : "Took"}>
        {seconds === null ? "–" : formatDuration(seconds)}
      </Fact>
    </SimpleGrid>
  );
}

/** What was asked of it beyond the ordinary. */
function Options({ sync }: { sync: Sync }) {
  const options = [
    sync.storage_url !== null && `at ${sync.storage_url}`,
    sync.verify && "compares by content",
    sync.force && "forced",
    sync.as_planned !== null && `held to the plan of ${sync.as_planned}`,
    sync.watch && `watches; ${countOf(sync.rounds, "round")} so far`,
    sync.wait > 0 && `waits ${formatDuration(sync.wait)} between operations`,
    sync.backup_prefix !== null && `keeps what goes below ${sync.backup_prefix}`,
  ].filter((option) => option !== false);
  if (options.length === 0) return null;
  return (
    <Group gap="xs">
      {options.map((option) => (
        <Badge key={option} variant="default" tt="none" fw={500}>
          {option}
        </Badge>
      ))}
    </Group>
  );
}
