import { Button, Popover, Stack, Text } from "@mantine/core";
import { modals } from "@mantine/modals";
import {
  IconGauge,
  IconPlayerPause,
  IconPlayerPlay,
  IconPlayerStop,
  IconRefresh,
} from "@tabler/icons-react";
import { useState } from "react";
import type { Transfer } from "~/api/transfers";
import { BandwidthInput } from "~/pages/transfers/bandwidth";
import { useLimit, useSteering } from "~/pages/transfers/queries";
import { isMoving } from "~/pages/transfers/words";
import { formatRate } from "~/ui/format";

const ICON = { size: 18, "aria-hidden": true } as const;

/** What can be done with a transfer as it stands. */
export function Actions({ transfer }: { transfer: Transfer }) {
  const steering = useSteering(transfer.id);
  const moving = isMoving(transfer);
  const paused = transfer.status === "paused";
  const retriable = transfer.status === "failed" || transfer.status === "cancelled";

  const cancel = () =>
    modals.openConfirmModal({
      title: "Cancel this transfer?",
      children: (
        <Text size="sm">
          Files that are complete stay in the library. What the store has of unfinished ones is
          removed.
        </Text>
      ),
      labels: { confirm: "Cancel the transfer", cancel: "Let it go on" },
      confirmProps: { color: "red" },
      onConfirm: () => steering.mutate("cancel"),
    });

  return (
    <>
      {(moving || paused) && <Limit transfer={transfer} />}
      {moving && (
        <Button
          variant="default"
          leftSection={<IconPlayerPause {...ICON} />}
          onClick={() => steering.mutate("pause")}
          loading={steering.isPending && steering.variables === "pause"}
        >
          Pause
        </Button>
      )}
      {paused && (
        <Button
          leftSection={<IconPlayerPlay {...ICON} />}
          onClick={() => steering.mutate("resume")}
          loading={steering.isPending && steering.variables === "resume"}
        >
          Resume
        </Button>
      )}
      {(moving || paused) && (
        <Button
          variant="light"
          color="red"
          leftSection={<IconPlayerStop {...ICON} />}
          onClick={cancel}
        >
          Cancel
        </Button>
      )}
      {retriable && (
        <Button
          leftSection={<IconRefresh {...ICON} />}
          onClick={() => steering.mutate("retry")}
          loading={steering.isPending}
        >
          {transfer.status === "failed" ? "Retry" : "Take it up again"}
        </Button>
      )}
    </>
  );
}

/** The limit of the bandwidth, and how it is changed. */
function Limit({ transfer }: { transfer: Transfer }) {
  const [opened, setOpened] = useState(false);
  const [bandwidth, setBandwidth] = useState(transfer.bandwidth);
  const limit = useLimit(transfer.id);
  return (
    <Popover opened={opened} onChange={setOpened} position="bottom-end" withArrow trapFocus>
      <Popover.Target>
        <Button
          variant="default"
          leftSection={<IconGauge {...ICON} />}
          onClick={() => setOpened(!opened)}
        >
          {transfer.bandwidth === null ? "Limit" : `At most ${formatRate(transfer.bandwidth)}`}
        </Button>
      </Popover.Target>
      <Popover.Dropdown>
        <Stack gap="sm">
          <BandwidthInput value={bandwidth} onChange={setBandwidth} />
          <Button
            size="xs"
            loading={limit.isPending}
            onClick={() => limit.mutate(bandwidth, { onSuccess: () => setOpened(false) })}
          >
            Set the limit
          </Button>
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}
