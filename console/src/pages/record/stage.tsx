import { Stack, Text } from "@mantine/core";
import { IconMicrophone } from "@tabler/icons-react";
import { type ReactNode, useEffect, useRef } from "react";
import type { RecorderSnapshot } from "~/recorder/types";
import { formatClock } from "~/ui/format";
import classes from "./record.module.css";

/** What is being recorded, or would be. */
export function Stage({ snapshot, children }: { snapshot: RecorderSnapshot; children: ReactNode }) {
  const { phase, kind, stream } = snapshot;
  if (stream === null) return <div className={classes.stage}>{children}</div>;
  return (
    <div className={`${classes.stage} ${classes.dark}`}>
      {kind === "microphone" ? (
        <Stack align="center" className={classes.microphone}>
          <IconMicrophone size={96} stroke={1} aria-hidden />
          <Text>Sound alone</Text>
        </Stack>
      ) : (
        <Picture stream={stream} mirrored={kind === "camera"} />
      )}
      {phase !== "ready" && <Badge snapshot={snapshot} />}
    </div>
  );
}

function Picture({ stream, mirrored }: { stream: MediaStream; mirrored: boolean }) {
  const video = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    if (video.current !== null) video.current.srcObject = stream;
  }, [stream]);
  return (
    <video
      ref={video}
      autoPlay
      muted
      playsInline
      aria-label="Preview"
      className={mirrored ? `${classes.picture} ${classes.mirrored}` : classes.picture}
    />
  );
}

function Badge({ snapshot: { phase, seconds } }: { snapshot: RecorderSnapshot }) {
  const paused = phase === "paused";
  return (
    <div className={classes.badge}>
      <span className={paused ? classes.dot : `${classes.dot} ${classes.blinking}`} />
      <span>{paused ? "Paused" : "Recording"}</span>
      <span role="timer" aria-label="Recorded time">
        {formatClock(Math.floor(seconds))}
      </span>
    </div>
  );
}
