import "@mantine/charts/styles.css";
import { BarChart, DonutChart } from "@mantine/charts";
import { ColorSwatch, Grid, Group, Stack, Text } from "@mantine/core";
import type { Stored } from "~/api/system";
import { formatBytes, formatCount } from "~/ui/format";
import { MEDIA_KINDS } from "~/ui/media-kind";
import { lastDays, type Measure } from "./stored-days";

const DAYS = 30;
const DATE = new Intl.DateTimeFormat(undefined, {
  day: "numeric",
  month: "short",
  timeZone: "UTC",
});

const COLORS = { video: "blue.6", image: "teal.6", audio: "orange.6", other: "gray.5" } as const;

/** The drawings of what is stored; loaded when they are wanted. */
export default function StoredCharts(props: { stored: Stored; measure: Measure; height: number }) {
  const { stored, measure, height } = props;
  const format = measure === "bytes" ? formatBytes : formatCount;
  const kinds = stored.by_kind.filter(({ count }) => count > 0);
  return (
    <Grid gap="lg" align="center">
      <Grid.Col span={{ base: 12, sm: 5, lg: 4 }}>
        <Group gap="lg" justify="center" wrap="nowrap">
          <DonutChart
            size={150}
            thickness={24}
            data={kinds.map((one) => ({
              name: MEDIA_KINDS[one.kind].label,
              value: one[measure],
              color: COLORS[one.kind],
            }))}
            tooltipDataSource="segment"
            valueFormatter={format}
            chartLabel={format(stored.total[measure])}
            pieProps={{ isAnimationActive: false, rootTabIndex: -1 }}
            pieChartProps={{ accessibilityLayer: false }}
          />
          <Stack gap={6}>
            {kinds.map((one) => (
              <Group key={one.kind} gap={8} wrap="nowrap">
                <ColorSwatch
                  size={12}
                  color={`var(--mantine-color-${COLORS[one.kind].replace(".", "-")})`}
                  withShadow={false}
                />
                <Text size="sm">{MEDIA_KINDS[one.kind].label}</Text>
                <Text size="sm" c="dimmed">
                  {format(one[measure])}
                </Text>
              </Group>
            ))}
          </Stack>
        </Group>
      </Grid.Col>
      <Grid.Col span={{ base: 12, sm: 7, lg: 8 }}>
        <Text size="xs" c="dimmed" mb={4}>
          What came on each of the last {DAYS} days
        </Text>
        <BarChart
          h={height - 20}
          type="stacked"
          data={lastDays(stored, DAYS).map(({ day, amounts }) => ({
            day: DATE.format(new Date(day)),
            ...Object.fromEntries(kinds.map(({ kind }) => [kind, amounts[kind]?.[measure] ?? 0])),
          }))}
          dataKey="day"
          series={kinds.map(({ kind }) => ({
            name: kind,
            label: MEDIA_KINDS[kind].label,
            color: COLORS[kind],
          }))}
          valueFormatter={format}
          tickLine="none"
          gridAxis="x"
          xAxisProps={{ minTickGap: 32 }}
          yAxisProps={{ width: 76, allowDecimals: false }}
          barChartProps={{ accessibilityLayer: false }}
          barProps={{ isAnimationActive: false }}
        />
      </Grid.Col>
    </Grid>
  );
}
