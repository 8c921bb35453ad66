import { Text, type TextProps, Tooltip } from "@mantine/core";
import { formatBytes, formatCount, formatExactTime, formatTime } from "~/ui/format";
import { usePassingTime } from "~/ui/use-passing-time";

type Shown<T> = TextProps & { value: T | null | undefined };

/** A time in local words, with the exact one in a tooltip; a dash without one. */
export function Time({ value, ...props }: Shown<string | Date>) {
  const now = usePassingTime();
  if (value === null || value === undefined) return <None {...props} />;
  const time = new Date(value);
  return (
    <Tooltip label={formatExactTime(time)} withArrow openDelay={300}>
      <Text component="time" span inherit dateTime={time.toISOString()} {...props}>
        {formatTime(time, now)}
      </Text>
    </Tooltip>
  );
}

/** A size in bytes, with the exact number in a tooltip; a dash without one. */
export function Bytes({ value, ...props }: Shown<number>) {
  if (value === null || value === undefined) return <None {...props} />;
  return (
    <Tooltip label={`${formatCount(value)} bytes`} withArrow openDelay={300}>
      <Text span inherit {...props}>
        {formatBytes(value)}
      </Text>
    </Tooltip>
  );
}

function None(props: TextProps) {
  return (
    <Text span inherit c="dimmed" {...props}>
      –
    </Text>
  );
}
