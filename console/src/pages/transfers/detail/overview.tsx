import { Grid, Group, Paper, SimpleGrid, Stack, Text } from "@mantine/core";
import { pathOf } from "~/api/folders";
import type { Transfer } from "~/api/transfers";
import { TransferProgress, TransferStatus } from "~/pages/transfers/status";
import { isMoving, secondsTaken } from "~/pages/transfers/words";
import { Fact } from "~/ui/fact";
import { countOf, formatCount, formatDuration, formatRate } from "~/ui/format";
import { RatePanel } from "~/ui/rate-chart";
import { useRateSamples } from "~/ui/rate-samples";
import { Bytes, Time } from "~/ui/values";

/** How far a transfer is, in numbers and as a drawing of its rate; `at` is when it was so. */
export function Overview({ transfer, at }: { transfer: Transfer; at: number }) {
  const moving = isMoving(transfer);
  const samples = useRateSamples(moving ? transfer.rate : null, at);
  const drawn = moving || samples.length > 1;
  return (
    <Grid>
      <Grid.Col span={{ base: 12, lg: drawn ? 7 : 12 }}>
        <Paper withBorder p="md" h="100%">
          <Stack gap="md">
            <Group justify="space-between">
              <TransferStatus status={transfer.status} />
              <Text size="sm">
                <Bytes value={transfer.bytes.complete} /> of <Bytes value={transfer.bytes.total} />
                {!transfer.scanned && " found so far"}
              </Text>
            </Group>
            <TransferProgress transfer={transfer} label="Progress" />
            <Facts transfer={transfer} at={at} />
            <Sources transfer={transfer} />
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

function Facts({ transfer, at }: { transfer: Transfer; at: number }) {
  const { files, rate, eta } = transfer;
  const moving = isMoving(transfer);
  const ended = transfer.finished_at !== null; // a paused one has not
  const seconds = secondsTaken(transfer, at);
  return (
    <SimpleGrid cols={{ base: 2, xs: 4 }} spacing="md" verticalSpacing="sm">
      <Fact label="Files">
        {formatCount(files.complete)} of {formatCount(files.total)}
      </Fact>
      <Fact label="Failed">{formatCount(files.failed)}</Fact>
      <Fact label="Skipped">{formatCount(files.skipped)}</Fact>
      {ended ? (
        <>
          <Fact label="Average rate">
            {seconds ? formatRate(transfer.bytes.complete / seconds) : "–"}
          </Fact>
          <Fact label="Ended">
            <Time value={transfer.finished_at} />
          </Fact>
        </>
      ) : (
        <>
          <Fact label="Rate">{moving && rate !== null ? formatRate(rate) : "–"}</Fact>
          <Fact label="Time left">{moving && eta !== null ? formatDuration(eta) : "–"}</Fact>
        </>
      )}
      <Fact label="Started">
        <Time value={transfer.started_at} />
      </Fact>
      {(ended || moving) && (
        <Fact label={ended ? "Took" : "For"}>
          {seconds === null ? "–" : formatDuration(seconds)}
        </Fact>
      )}
    </SimpleGrid>
  );
}

const SHOWN_SOURCES = 3;

function Sources({ transfer: { sources } }: { transfer: Transfer }) {
  const more = sources.length - SHOWN_SOURCES;
  return (
    <Text size="xs" c="dimmed" style={{ overflowWrap: "anywhere" }}>
      From {sources.slice(0, SHOWN_SOURCES).map(pathOf).join(", ")}
      {more > 0 && ` and ${countOf(more, "other")}`}
    </Text>
  );
}
