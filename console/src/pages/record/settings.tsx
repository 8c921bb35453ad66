import { SegmentedControl, Select, Stack } from "@mantine/core";
import { IconDeviceDesktop, IconMicrophone, IconVideo } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { supportedFormats } from "~/recorder/formats";
import type { Devices } from "~/recorder/sources";
import type { SourceChoice, SourceKind } from "~/recorder/types";

const KINDS: { value: SourceKind; label: string; icon: typeof IconVideo }[] = [
  { value: "camera", label: "Camera", icon: IconVideo },
  { value: "screen", label: "Screen", icon: IconDeviceDesktop },
  { value: "microphone", label: "Sound", icon: IconMicrophone },
];
const HEIGHTS = [480, 720, 1080, 2160];
const SILENT = "none";

interface Props {
  choice: SourceChoice;
  choose: (choice: SourceChoice) => void;
  devices: Devices;
  mimeType: string;
  setMimeType: (mimeType: string) => void;
  disabled: boolean;
}

/** What is recorded, with which devices, and how. */
export function Settings(props: Props) {
  const { choice, choose, devices, mimeType, setMimeType, disabled } = props;
  const { kind } = choice;
  const formats = supportedFormats(kind !== "microphone");
  const microphones = [
    ...(kind === "microphone" ? [] : [{ value: SILENT, label: "No microphone" }]),
    { value: "", label: "The usual microphone" },
    ...devices.microphones.map(({ id, label }) => ({ value: id, label })),
  ];
  return (
    <Stack gap="sm">
      <SegmentedControl
        fullWidth
        value={kind}
        onChange={(value) => choose({ ...choice, kind: value as SourceKind })}
        data={KINDS.map(({ value, label, icon: Icon }) => ({
          value,
          label: <Labelled icon={<Icon size={17} aria-hidden />}>{label}</Labelled>,
        }))}
        disabled={disabled}
        aria-label="What is recorded"
      />
      {kind === "camera" && (
        <Select
          label="Camera"
          value={choice.camera}
          onChange={(camera) => choose({ ...choice, camera: camera ?? "" })}
          data={[
            { value: "", label: "The usual camera" },
            ...devices.cameras.map(({ id, label }) => ({ value: id, label })),
          ]}
          allowDeselect={false}
          disabled={disabled}
        />
      )}
      <Select
        label="Microphone"
        value={choice.microphone ?? (kind === "microphone" ? "" : SILENT)}
        onChange={(id) => choose({ ...choice, microphone: id === SILENT ? null : id })}
        data={microphones}
        allowDeselect={false}
        disabled={disabled}
      />
      {kind !== "microphone" && (
        <Select
          label="Picture"
          description="At most so many lines"
          value={String(choice.height)}
          onChange={(height) => choose({ ...choice, height: Number(height) })}
          data={HEIGHTS.map((height) => ({ value: String(height), label: `${height}p` }))}
          allowDeselect={false}
          disabled={disabled}
        />
      )}
      <Select
        label="Format"
        description="Of those that this browser can record in"
        value={mimeType}
        onChange={(value) => setMimeType(value ?? "")}
        data={formats.map(({ mimeType: value, label }) => ({ value, label }))}
        allowDeselect={false}
        disabled={disabled}
      />
    </Stack>
  );
}

function Labelled({ icon, children }: { icon: ReactNode; children: ReactNode }) {
  return (
    <span style={{ display: "inline-flex", alignItems: "center", gap: 6 }}>
      {icon}
      {children}
    </span>
  );
}
