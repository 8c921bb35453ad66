import { Box, Center, Group, Skeleton, Text } from "@mantine/core";
import { lazy, Suspense } from "react";
import { formatBytes, formatCount, formatRate } from "~/ui/format";
import { ErrorState } from "~/ui/states";
import { useThroughput } from "./queries";

const ThroughputChart = lazy(() => import("./throughput-chart"));

const HEIGHT = 200;

/** What passes through the web processes of this machine now. */
export function ThroughputLook() {
  const { samples, rates, data, isError, error, refetch } = useThroughput();
  if (isError && data === undefined) return <ErrorState error={error} retry={() => refetch()} />;
  return (
    <>
      <Group gap="xl" mb="sm">
        <Figure name="Received" now={rates && formatRate(rates.received)}>
          {data && `${formatBytes(data.received_bytes)} in all`}
        </Figure>
        <Figure name="Sent" now={rates && formatRate(rates.sent)}>
          {data && `${formatBytes(data.sent_bytes)} in all`}
        </Figure>
        <Figure name="Requests" now={rates && `${rates.requests.toFixed(1)}/s`}>
          {data && `${formatCount(data.requests)} in all`}
        </Figure>
      </Group>
      <Box aria-hidden h={HEIGHT}>
        {samples.filter((sample) => sample.rates !== null).length < 2 ? (
          <Center h="100%">
            <Text size="sm" c="dimmed">
              Two looks make a rate. The chart begins in some seconds.
            </Text>
          </Center>
        ) : (
          <Suspense fallback={<Skeleton height={HEIGHT} />}>
            <ThroughputChart samples={samples} height={HEIGHT} />
          </Suspense>
        )}
      </Box>
    </>
  );
}

function Figure(props: { name: string; now: string | null; children?: string }) {
  return (
    <div>
      <Text size="xs" c="dimmed">
        {props.name}
      </Text>
      <Text fw={600} size="lg">
        {props.now ?? "–"}
      </Text>
      <Text size="xs" c="dimmed">
        {props.children}
      </Text>
    </div>
  );
}
