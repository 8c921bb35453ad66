import "@mantine/charts/styles.css";
import { AreaChart } from "@mantine/charts";
import { formatRate } from "~/ui/format";
import type { RateSample } from "~/ui/rate-samples";

const CLOCK = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

/** Return the least of 1, 2, 5, 10, 20, … of the unit a rate is shown in that is not below it. */
function roundedUp(rate: number): number {
  const unit = 1024 ** Math.floor(Math.log(Math.max(rate, 1)) / Math.log(1024));
  const power = 10 ** Math.floor(Math.log10(Math.max(rate, 1) / unit));
  const step = [1, 2, 5, 10].find((one) => one * power * unit >= rate) ?? 10;
  return step * power * unit;
}

/** The drawing of a rate; `RateChart` loads it when it is wanted. */
export default function RateArea({ samples, height }: { samples: RateSample[]; height: number }) {
  const top = roundedUp(Math.max(...samples.map(({ rate }) => rate)));
  return (
    <AreaChart
      h={height}
      data={samples.map(({ at, rate }) => ({ at, rate }))}
      dataKey="at"
      series={[{ name: "rate", label: "Rate", color: "blue.6" }]}
      curveType="monotone"
      withDots={false}
      strokeWidth={2}
      valueFormatter={formatRate}
      tickLine="none"
      gridAxis="y"
      xAxisProps={{
        type: "number",
        scale: "time",
        domain: ["dataMin", "dataMax"],
        tickFormatter: (at: number) => CLOCK.format(at),
        minTickGap: 48,
      }}
      yAxisProps={{ width: 92, domain: [0, top], ticks: [0, top / 2, top] }}
      tooltipProps={{
        labelFormatter: (at) => (typeof at === "number" ? CLOCK.format(at) : ""),
      }}
      areaChartProps={{ accessibilityLayer: false }}
      areaProps={{ isAnimationActive: false }}
    />
  );
}
