import { Alert, Button, Grid, Paper, Stack, Text } from "@mantine/core";
import { useLocalStorage } from "@mantine/hooks";
import { IconAlertTriangle, IconVideo, IconVideoOff } from "@tabler/icons-react";
import { useEffect, useState } from "react";
import { supportedFormats } from "~/recorder/formats";
import { type Devices, listDevices } from "~/recorder/sources";
import type { SourceChoice, SourceKind } from "~/recorder/types";
import { recorder, useRecorder } from "~/recorder/use-recorder";
import { whyNot } from "~/recorder/words";
import { PageHeader } from "~/ui/page-header";
import { EmptyState } from "~/ui/states";
import { Controls } from "./controls";
import { LeaveDialog } from "./leave-dialog";
import { LeftBehind } from "./left-behind";
import { LevelBar } from "./level-bar";
import { Received } from "./received";
import { Amounts, Sending } from "./sending";
import { Settings } from "./settings";
import { Stage } from "./stage";

const USUAL: SourceChoice = { kind: "camera", camera: "", microphone: "", height: 720 };
const OPENERS: Record<SourceKind, string> = {
  camera: "Open the camera",
  screen: "Choose what to show",
  microphone: "Open the microphone",
};

export default function RecordPage() {
  const reason = whyNot();
  return (
    <>
      <PageHeader
        title="Record"
        about="Each second is sent while you record, so that nothing is lost that was seen."
      />
      {reason === null ? (
        <RecordingDesk />
      ) : (
        <EmptyState icon={IconVideoOff} title="This page cannot record here">
          {reason}
        </EmptyState>
      )}
    </>
  );
}

function RecordingDesk() {
  const snapshot = useRecorder();
  const { phase, stream, id, error } = snapshot;
  const [choice, setChoice] = useLocalStorage({ key: "recording-source", defaultValue: USUAL });
  const [format, setFormat] = useState("");
  const devices = useDevices(stream);
  const formats = supportedFormats(choice.kind !== "microphone");
  const mimeType = formats.some((one) => one.mimeType === format)
    ? format
    : (formats[0]?.mimeType ?? "");
  const busy = ["recording", "paused", "sending"].includes(phase);

  useEffect(() => () => recorder.release(), []);
  const choose = (next: SourceChoice) => {
    setChoice(next);
    // A screen is not opened before somebody asks for it: the browser shows a dialog.
    if (phase === "ready" && next.kind === choice.kind) void recorder.open(next);
    else recorder.release();
  };

  if (phase === "received" && id !== null) return <Received id={id} />;
  return (
    <Stack gap="md">
      <LeftBehind left={snapshot.left} disabled={busy} />
      {error !== null && (
        <Alert color="red" icon={<IconAlertTriangle aria-hidden />} role="alert">
          {error}
        </Alert>
      )}
      <Grid>
        <Grid.Col span={{ base: 12, md: 8 }}>
          <Stack gap="sm">
            <Stage snapshot={snapshot}>
              {phase === "sending" ? (
                <Sending snapshot={snapshot} />
              ) : (
                <Stack align="center" px="md">
                  <Button
                    size="md"
                    leftSection={<IconVideo size={20} aria-hidden />}
                    onClick={() => recorder.open(choice)}
                  >
                    {OPENERS[choice.kind]}
                  </Button>
                  <Text size="sm" c="dimmed" ta="center">
                    The browser asks whether it may. Nothing is recorded before you say so.
                  </Text>
                </Stack>
              )}
            </Stage>
            {stream !== null && stream.getAudioTracks().length > 0 && <LevelBar stream={stream} />}
            <Controls phase={phase} mimeType={mimeType} />
            {busy && <Amounts snapshot={snapshot} />}
          </Stack>
        </Grid.Col>
        <Grid.Col span={{ base: 12, md: 4 }}>
          <Paper withBorder p="md">
            <Settings
              choice={choice}
              choose={choose}
              devices={devices}
              mimeType={mimeType}
              setMimeType={setFormat}
              disabled={busy}
            />
          </Paper>
        </Grid.Col>
      </Grid>
      <LeaveDialog recording={phase === "recording" || phase === "paused"} />
    </Stack>
  );
}

/** The devices there are; they have names once a stream was opened. */
function useDevices(stream: MediaStream | null): Devices {
  const [devices, setDevices] = useState<Devices>({ cameras: [], microphones: [] });
  // biome-ignore lint/correctness/useExhaustiveDependencies: an open stream lets the names be seen
  useEffect(() => {
    const look = () => void listDevices().then(setDevices);
    look();
    navigator.mediaDevices.addEventListener("devicechange", look);
    return () => navigator.mediaDevices.removeEventListener("devicechange", look);
  }, [stream]);
  return devices;
}
