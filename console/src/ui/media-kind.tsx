import { type Icon, IconFile, IconMovie, IconMusic, IconPhoto } from "@tabler/icons-react";
import type { LibraryKind } from "~/api/library";

/** What people take a media for: its word and its picture. */
export const MEDIA_KINDS: Record<LibraryKind, { label: string; icon: Icon }> = {
  video: { label: "Video", icon: IconMovie },
  image: { label: "Image", icon: IconPhoto },
  audio: { label: "Audio", icon: IconMusic },
  other: { label: "Other", icon: IconFile },
};

export function MediaKindIcon({ kind, size = 16 }: { kind: LibraryKind; size?: number }) {
  const { label, icon: Shown } = MEDIA_KINDS[kind];
  return <Shown size={size} stroke={1.6} role="img" aria-label={label} />;
}
