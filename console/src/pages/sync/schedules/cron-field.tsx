import { Group, NumberInput, Select, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { cronInWords, cronOf, type Rhythm, WEEKDAY_CHOICES } from "~/pages/sync/schedules/cron";

const RHYTHMS = [
  { value: "hour", label: "Every hour" },
  { value: "day", label: "Every day" },
  { value: "week", label: "Every week" },
  { value: "month", label: "Every month" },
  { value: "own", label: "By a cron expression" },
];
const LAST_DAY_OF_EVERY_MONTH = 28;

interface Choices {
  rhythm: string;
  time: string;
  weekday: string;
  date: number;
}

const FIRST: Choices = { rhythm: "day", time: "03:00", weekday: "1", date: 1 };
export const FIRST_CRON = cronOf("day", FIRST.time, "");

/** When something is to happen: a rhythm and a time, or a cron expression. */
export function CronField({
  value,
  onChange,
}: {
  value: string;
  onChange: (cron: string) => void;
}) {
  const [choices, setChoices] = useState(FIRST);
  const { rhythm, time, weekday, date } = choices;
  const choose = (changed: Partial<Choices>) => {
    const next = { ...choices, ...changed };
    setChoices(next);
    if (next.rhythm === "own") return;
    const day = next.rhythm === "week" ? next.weekday : String(next.date);
    onChange(cronOf(next.rhythm as Rhythm, next.time, day));
  };
  return (
    <Stack gap="xs">
      <Group align="flex-end" gap="sm">
        <Select
          label="How often"
          data={RHYTHMS}
          value={rhythm}
          allowDeselect={false}
          onChange={(chosen) => choose({ rhythm: chosen ?? rhythm })}
        />
        {rhythm === "week" && (
          <Select
            label="On"
            data={WEEKDAY_CHOICES}
            value={weekday}
            allowDeselect={false}
            onChange={(chosen) => choose({ weekday: chosen ?? weekday })}
          />
        )}
        {rhythm === "month" && (
          <NumberInput
            label="On day"
            min={1}
            max={LAST_DAY_OF_EVERY_MONTH}
            clampBehavior="strict"
            value={date}
            onChange={(given) => choose({ date: typeof given === "number" ? given : 1 })}
          />
        )}
        {rhythm === "own" && (
          <TextInput
            label="Cron expression"
            placeholder="0 3 * * 1-5"
            value={value}
            onChange={(event) => onChange(event.currentTarget.value)}
          />
        )}
        {rhythm === "hour" && (
          <NumberInput
            label="At minute"
            min={0}
            max={59}
            clampBehavior="strict"
            value={Number(time.slice(-2))}
            onChange={(given) => choose({ time: `00:${String(given || 0).padStart(2, "0")}` })}
          />
        )}
        {["day", "week", "month"].includes(rhythm) && (
          <TextInput
            type="time"
            label="At (UTC)"
            value={time}
            onChange={(event) => choose({ time: event.currentTarget.value || time })}
          />
        )}
      </Group>
      <Text size="sm" role="status">
        {cronInWords(value) ?? "In five fields: minute, hour, day, month and day of the week"}, in
        UTC.
      </Text>
    </Stack>
  );
}
