import { Box, Center, Group, Paper, Skeleton, Text, Title } from "@mantine/core";
import { lazy, Suspense } from "react";
import { formatRate } from "~/ui/format";
import type { RateSample } from "~/ui/rate-samples";

const RateArea = lazy(() => import("~/ui/rate-area"));

/** The part of a page that shows a rate over the last minutes. */
export function RatePanel({ samples }: { samples: RateSample[] }) {
  return (
    <Paper withBorder p="md" h="100%">
      <Title order={2} size="h5" mb="sm">
        Rate of the last minutes
      </Title>
      <RateChart samples={samples} />
    </Paper>
  );
}

/** A rate as a drawing and in words. */
function RateChart({ samples, height = 150 }: { samples: RateSample[]; height?: number }) {
  const rates = samples.map(({ rate }) => rate);
  const average = rates.reduce((sum, rate) => sum + rate, 0) / Math.max(rates.length, 1);
  return (
    <div>
      {samples.length < 2 ? (
        <Center h={height}>
          <Text size="sm" c="dimmed">
            The rate is drawn while bytes move.
          </Text>
        </Center>
      ) : (
        <Box aria-hidden>
          <Suspense fallback={<Skeleton height={height} />}>
            <RateArea samples={samples} height={height} />
          </Suspense>
        </Box>
      )}
      {rates.length > 0 && (
        <Group gap="lg" mt="xs" component="p" m={0}>
          <Said label="Average" rate={average} />
          <Said label="Highest" rate={Math.max(...rates)} />
          <Said label="Last" rate={rates.at(-1) ?? 0} />
        </Group>
      )}
    </div>
  );
}

function Said({ label, rate }: { label: string; rate: number }) {
  return (
    <Text span size="xs" c="dimmed">
      {label} {formatRate(rate)}
    </Text>
  );
}
