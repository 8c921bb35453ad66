import { Alert, Button, Group, Stack, Text } from "@mantine/core";
import { IconHistory } from "@tabler/icons-react";
import type { KeptRecording } from "~/recorder/kept";
import { recorder } from "~/recorder/use-recorder";
import { Time } from "~/ui/values";

/** Recordings that were interrupted by a reload or a crash, and what can be done with them. */
export function LeftBehind(props: { left: readonly KeptRecording[]; disabled: boolean }) {
  const { left, disabled } = props;
  return left.map((one) => (
    <Alert
      key={one.id}
      color="orange"
      icon={<IconHistory aria-hidden />}
      title="A recording was interrupted"
    >
      <Stack gap="xs" align="flex-start">
        <Text size="sm">
          It was begun <Time value={new Date(one.startedAt)} />. What this browser still has of it
          can be sent; then it is completed, and plays as far as it was recorded.
        </Text>
        <Group gap="xs">
          <Button size="xs" disabled={disabled} onClick={() => recorder.recover(one)}>
            Send and complete
          </Button>
          <Button size="xs" variant="default" onClick={() => recorder.discard(one)}>
            Forget what was not sent
          </Button>
        </Group>
      </Stack>
    </Alert>
  ));
}
