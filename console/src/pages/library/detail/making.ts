import type { LibraryMedia } from "~/api/library";
import type { Step } from "~/api/media";
import { metaOf } from "~/api/meta";

/** Something that can be made of a media on request. */
export interface Making {
  step: Step;
  label: string;
  about: string;
  /** What the keys of the results begin with; null when it makes none. */
  made: string | null;
}

const MAKINGS: Making[] = [
  {
    step: "probe",
    label: "Metadata",
    about: "What it is, how long and how large: found out by looking into it.",
    made: null,
  },
  {
    step: "remux",
    label: "Copy to seek in",
    about: "The same picture and sound, not encoded again, in a file that seeks.",
    made: "processed.",
  },
  {
    step: "thumbnail",
    label: "Thumbnail",
    about: "A small picture for lists.",
    made: "thumbnail.",
  },
  {
    step: "sprite",
    label: "Preview pictures",
    about: "Up to 100 small pictures to find a moment by.",
    made: "sprite.",
  },
  {
    step: "waveform",
    label: "Waveform",
    about: "How loud it is over its time.",
    made: "waveform.",
  },
  {
    step: "hls",
    label: "HLS",
    about: "Segments for players that stream, not encoded again.",
    made: "master.",
  },
];

/** Return what can be made of a media, and has not been made. */
export function missingOf(media: LibraryMedia): Making[] {
  if (media.key !== "") return [];
  const { kind, video, audio } = metaOf(media);
  const moves = kind === "video" || kind === "audio";
  const isPossible: Record<Step, boolean> = {
    probe: kind === undefined && media.kind !== "other",
    remux: moves,
    thumbnail: kind === "video" || kind === "image",
    sprite: kind === "video",
    waveform: audio !== undefined,
    // HLS does not take it.
    hls: moves && video?.codec !== "vp8",
  };
  const isMade = ({ made }: Making) =>
    made !== null && media.derived.some(({ key }) => key.startsWith(made));
  return MAKINGS.filter((making) => isPossible[making.step] && !isMade(making));
}
