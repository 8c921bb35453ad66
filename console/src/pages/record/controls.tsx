import { Button, Group } from "@mantine/core";
import {
  IconPlayerPauseFilled,
  IconPlayerPlayFilled,
  IconPlayerRecordFilled,
  IconPlayerStopFilled,
  IconX,
} from "@tabler/icons-react";
import type { Phase } from "~/recorder/types";
import { recorder } from "~/recorder/use-recorder";

/** What can be done now. */
export function Controls({ phase, mimeType }: { phase: Phase; mimeType: string }) {
  return (
    <Group gap="xs">
      {phase === "ready" && (
        <>
          <Button
            color="red"
            leftSection={<IconPlayerRecordFilled size={18} aria-hidden />}
            onClick={() => recorder.start(mimeType)}
          >
            Record
          </Button>
          <Button
            variant="default"
            leftSection={<IconX size={18} aria-hidden />}
            onClick={() => recorder.release()}
          >
            Close
          </Button>
        </>
      )}
      {phase === "recording" && (
        <Button
          variant="default"
          leftSection={<IconPlayerPauseFilled size={18} aria-hidden />}
          onClick={() => recorder.pause()}
        >
          Pause
        </Button>
      )}
      {phase === "paused" && (
        <Button
          leftSection={<IconPlayerPlayFilled size={18} aria-hidden />}
          onClick={() => recorder.resume()}
        >
          Resume
        </Button>
      )}
      {(phase === "recording" || phase === "paused") && (
        <Button
          color="red"
          leftSection={<IconPlayerStopFilled size={18} aria-hidden />}
          onClick={() => recorder.stop()}
        >
          Stop
        </Button>
      )}
    </Group>
  );
}
