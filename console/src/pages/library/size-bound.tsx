import { NumberInput } from "@mantine/core";
import { useDraft } from "~/ui/use-draft";

const MIB = 2 ** 20;

interface BoundProps {
  label: string;
  /** In bytes; null where there is no bound. */
  value: number | null;
  setValue: (bytes: number | null) => void;
}

/** One end of a range of sizes. It is loaded when it is asked for: most people never do. */
export default function SizeBound({ label, value, setValue }: BoundProps) {
  const [draft, type] = useDraft(value, setValue);
  return (
    <NumberInput
      label={label}
      suffix=" MiB"
      placeholder="Any size"
      min={0}
      decimalScale={3}
      allowNegative={false}
      value={draft === null ? "" : draft / MIB}
      onChange={(typed) => type(typed === "" ? null : Math.round(Number(typed) * MIB))}
    />
  );
}
