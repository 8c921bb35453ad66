import "@mantine/charts/styles.css";
import { AreaChart } from "@mantine/charts";
import { formatRate } from "~/ui/format";
import type { Sample } from "./rates";

const CLOCK = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

/** The drawing of what passed in the last minutes; loaded when it is wanted. */
export default function ThroughputChart(props: { samples: Sample[]; height: number }) {
  return (
    <AreaChart
      h={props.height}
      data={props.samples.map(({ at, rates }) => ({ at, ...rates }))}
      dataKey="at"
      series={[
        { name: "received", label: "Received", color: "blue.6" },
        { name: "sent", label: "Sent", color: "teal.6" },
      ]}
      withLegend
      curveType="monotone"
      withDots={false}
      connectNulls={false}
      valueFormatter={formatRate}
      tickLine="none"
      gridAxis="x"
      xAxisProps={{
        type: "number",
        scale: "time",
        domain: ["dataMin", "dataMax"],
        tickFormatter: (at: number) => CLOCK.format(at),
        minTickGap: 48,
      }}
      yAxisProps={{ width: 84 }}
      tooltipProps={{ labelFormatter: (at) => (typeof at === "number" ? CLOCK.format(at) : "") }}
      areaChartProps={{ accessibilityLayer: false }}
      areaProps={{ isAnimationActive: false }}
    />
  );
}
