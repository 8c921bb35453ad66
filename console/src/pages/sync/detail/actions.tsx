import { Button, Text } from "@mantine/core";
import { modals } from "@mantine/modals";
import {
  IconPlayerPause,
  IconPlayerPlay,
  IconPlayerStop,
  IconRefresh,
  IconRepeat,
} from "@tabler/icons-react";
import type { Sync } from "~/api/sync";
import { useCancelling, useSignalling } from "~/pages/sync/queries";
import { outcomeOf, wantsForce } from "~/pages/sync/words";
import { LinkButton } from "~/ui/links";

const ICON = { size: 18, "aria-hidden": true } as const;

/** What can be done with a sync as it stands. */
export function Actions({ sync, paused }: { sync: Sync; paused: boolean }) {
  const cancelling = useCancelling(sync.id);
  const signalling = useSignalling(sync.job);
  const outcome = outcomeOf(sync);

  const cancel = () =>
    modals.openConfirmModal({
      title: "Cancel this sync?",
      children: (
        <Text size="sm">
          The file operations under way are finished, and no other begins. What was done stays done.
        </Text>
      ),
      labels: { confirm: "Cancel the sync", cancel: "Let it go on" },
      confirmProps: { color: "red" },
      onConfirm: () => cancelling.mutate(),
    });

  if (outcome === "running") {
    return (
      <>
        <Button
          variant={paused ? "filled" : "default"}
          leftSection={paused ? <IconPlayerPlay {...ICON} /> : <IconPlayerPause {...ICON} />}
          loading={signalling.isPending}
          onClick={() => signalling.mutate(paused ? "resume" : "pause")}
        >
          {paused ? "Resume" : "Pause"}
        </Button>
        <Button
          variant="light"
          color="red"
          leftSection={<IconPlayerStop {...ICON} />}
          loading={cancelling.isPending}
          onClick={cancel}
        >
          Cancel
        </Button>
      </>
    );
  }
  const retriable = outcome !== "success" && !sync.dry_run && !wantsForce(sync);
  return (
    <>
      <LinkButton
        variant={retriable ? "default" : "filled"}
        to="/sync"
        search={{ view: "new", from: sync.id }}
        leftSection={<IconRepeat {...ICON} />}
      >
        {sync.dry_run ? "Do this" : "Plan it again"}
      </LinkButton>
      {retriable && (
        <Button
          leftSection={<IconRefresh {...ICON} />}
          loading={signalling.isPending}
          onClick={() => signalling.mutate("retry")}
        >
          Retry
        </Button>
      )}
    </>
  );
}
