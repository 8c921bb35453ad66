import { DatePicker } from "@mantine/dates";
import { useMediaQuery } from "@mantine/hooks";
import dayjs from "dayjs";
import { useState } from "react";
import "@mantine/dates/styles.css";

type Range = [string | null, string | null];

interface RangeProps {
  /** Days as YYYY-MM-DD; null where there is no bound. */
  value: Range;
  setValue: (range: Range) => void;
}

/** On a phone there is no room for the calendar beside what can be chosen at once. */
const BELOW_EACH_OTHER = {
  datePickerRoot: { flexDirection: "column", maxWidth: 270 },
  presetsList: { flexDirection: "row", flexWrap: "wrap", borderInlineEnd: 0 },
} as const;

/** A calendar. It is loaded when it is asked for: most people never do. */
export default function DateRange({ value, setValue }: RangeProps) {
  const [chosen, choose] = useState(value);
  const narrow = useMediaQuery("(max-width: 48em)", undefined, { getInitialValueInEffect: false });
  return (
    <DatePicker
      type="range"
      value={chosen}
      onChange={(range) => {
        choose(range);
        // Half a range is on its way to be a whole one.
        if ((range[0] === null) === (range[1] === null)) setValue(range);
      }}
      presets={presets()}
      allowSingleDateInRange
      styles={narrow ? BELOW_EACH_OTHER : undefined}
    />
  );
}

function presets() {
  const today = dayjs();
  const back = (days: number) => today.subtract(days, "day").format("YYYY-MM-DD");
  return [
    { value: [back(0), back(0)] as [string, string], label: "Today" },
    { value: [back(6), back(0)] as [string, string], label: "Last 7 days" },
    { value: [back(29), back(0)] as [string, string], label: "Last 30 days" },
    { value: [back(364), back(0)] as [string, string], label: "Last year" },
  ];
}
