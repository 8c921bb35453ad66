import { Alert, Button, Group, Stack, Text } from "@mantine/core";
import { IconAlertTriangle, IconBooks, IconVideo } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import type { ReceivedRecording } from "~/recorder/service";
import { recorder } from "~/recorder/use-recorder";
import { ProgressBar } from "~/ui/job-status";
import { Loading } from "~/ui/loading";
import { ErrorState } from "~/ui/states";
import { useReceived } from "./queries";
import classes from "./record.module.css";

/** What becomes of a recording that the service has: it is processed, and then it plays. */
export function Received({ id }: { id: string }) {
  const { data, error, refetch, progress } = useReceived(id);
  if (data === undefined) {
    if (error !== null) return <ErrorState error={error} retry={() => refetch()} />;
    return <Loading rows={1} height={240} />;
  }
  return (
    <Stack gap="md">
      {data.status === "complete" ? (
        <Player recording={data} />
      ) : (
        <div className={classes.stage}>
          <Stack gap="xs" w="min(420px, 90%)">
            {data.status === "failed" ? (
              <Failed recording={data} />
            ) : (
              <>
                <Text fw={600} ta="center" role="status">
                  A film is made of the recording
                </Text>
                <ProgressBar value={progress} label="Processing" />
              </>
            )}
          </Stack>
        </div>
      )}
      {data.warning !== null && (
        <Alert color="yellow" icon={<IconAlertTriangle aria-hidden />} title="Something is wrong">
          {data.warning}
        </Alert>
      )}
      <Group gap="xs">
        <Button leftSection={<IconVideo size={18} aria-hidden />} onClick={() => recorder.reset()}>
          Record again
        </Button>
        {data.media !== null && (
          <Button
            variant="default"
            leftSection={<IconBooks size={18} aria-hidden />}
            renderRoot={(root) => (
              <Link to="/library/$id" params={{ id: data.media ?? "" }} {...root} />
            )}
          >
            Show in the library
          </Button>
        )}
      </Group>
    </Stack>
  );
}

function Failed({ recording }: { recording: ReceivedRecording }) {
  return (
    <Alert
      color="red"
      icon={<IconAlertTriangle aria-hidden />}
      title="No film could be made of it"
      role="alert"
    >
      {recording.error} What was received is kept in the library.
    </Alert>
  );
}

function Player({ recording: { files } }: { recording: ReceivedRecording }) {
  const played = files.find(({ key }) => key.startsWith("processed.")) ?? files[0];
  const poster = files.find(({ key }) => key.startsWith("thumbnail."));
  if (played === undefined) return null;
  if (played.mime_type.startsWith("audio/")) {
    return (
      // biome-ignore lint/a11y/useMediaCaption: nobody has written down what was said
      <audio controls src={path(played.url)} aria-label="Recording" style={{ width: "100%" }} />
    );
  }
  return (
    <div className={`${classes.stage} ${classes.dark}`}>
      {/* biome-ignore lint/a11y/useMediaCaption: nobody has written down what was said */}
      <video
        controls
        playsInline
        src={path(played.url)}
        poster={poster && path(poster.url)}
        className={classes.picture}
        aria-label="Recording"
      />
    </div>
  );
}

/** The service tells addresses as others reach it; the page asks where it comes from itself. */
function path(url: string): string {
  return new URL(url).pathname;
}
