import { type Icon, IconPlayerPause, IconPlayerPlay, IconReload, IconX } from "@tabler/icons-react";
import type { JobState, Signal } from "~/api/jobs";

export interface SignalAbout {
  signal: Signal;
  label: string;
  icon: Icon;
  color: string;
  /** The statuses in which it changes something. */
  fits: JobState[];
}

export const SIGNALS: SignalAbout[] = [
  {
    signal: "pause",
    label: "Pause",
    icon: IconPlayerPause,
    color: "gray",
    fits: ["pending", "running"],
  },
  { signal: "resume", label: "Resume", icon: IconPlayerPlay, color: "blue", fits: ["paused"] },
  {
    signal: "retry",
    label: "Retry",
    icon: IconReload,
    color: "blue",
    fits: ["errored", "cancelled"],
  },
  {
    signal: "cancel",
    label: "Cancel",
    icon: IconX,
    color: "red",
    fits: ["pending", "running", "paused"],
  },
];

export function signalsFor(status: JobState): SignalAbout[] {
  return SIGNALS.filter(({ fits }) => fits.includes(status));
}
