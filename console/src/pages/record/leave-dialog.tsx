import { Button, Group, Modal, Text } from "@mantine/core";
import { useBlocker } from "@tanstack/react-router";
import { recorder } from "~/recorder/use-recorder";

/** Asks before another page of the console is shown while something is recorded. */
export function LeaveDialog({ recording }: { recording: boolean }) {
  const { status, proceed, reset } = useBlocker({
    shouldBlockFn: () => recording,
    enableBeforeUnload: false,
    withResolver: true,
  });
  return (
    <Modal opened={status === "blocked"} onClose={() => reset?.()} title="Stop recording?" centered>
      <Text mb="md">
        Another page ends the recording. What was recorded is kept, and is sent and processed while
        you look at other pages.
      </Text>
      <Group justify="flex-end">
        <Button variant="default" onClick={() => reset?.()}>
          Go on recording
        </Button>
        <Button
          color="red"
          onClick={() => {
            recorder.stop();
            proceed?.();
          }}
        >
          Stop and leave
        </Button>
      </Group>
    </Modal>
  );
}
