import { NumberInput } from "@mantine/core";

const MEBIBYTE = 2 ** 20;

interface Props {
  /** Bytes per second; null for no limit. */
  value: number | null;
  onChange: (value: number | null) => void;
}

/** A limit in MiB per second, or none. */
export function BandwidthInput({ value, onChange }: Props) {
  return (
    <NumberInput
      label="At most, in MiB per second"
      description="Empty: as fast as it can."
      min={0.1}
      step={1}
      decimalScale={1}
      clampBehavior="blur"
      value={value === null ? "" : value / MEBIBYTE}
      onChange={(given) =>
        onChange(typeof given === "number" && given > 0 ? Math.round(given * MEBIBYTE) : null)
      }
    />
  );
}
