import { formatBytes, formatCount, formatExactTime, formatTime } from "~/ui/format";
import { usePassingTime } from "~/ui/use-passing-time";

// Of these there are hundreds at a time, and new ones with every turn of the wheel: too many for
// tooltips other than the browser's own.

/** A time in local words, and the exact one on hover. */
export function ListedTime({ value, className }: { value: string; className?: string }) {
  const now = usePassingTime();
  const time = new Date(value);
  return (
    <time dateTime={value} title={formatExactTime(time)} className={className}>
      {formatTime(time, now)}
    </time>
  );
}

/** A size with a unit, and the exact one on hover. */
export function ListedBytes({ value, className }: { value: number; className?: string }) {
  return (
    <span title={`${formatCount(value)} bytes`} className={className}>
      {formatBytes(value)}
    </span>
  );
}
