import type { LibraryItem } from "~/api/library";

/** The name that a media is shown and downloaded by. */
export function titleOf({ key, filename }: Pick<LibraryItem, "key" | "filename">): string {
  return key === "" ? filename : key;
}

const MADE: Record<string, string> = {
  "processed.webm": "The same in a file that seeks",
  "processed.mp4": "The same in a file that seeks",
  "processed.mkv": "The same in a file that seeks",
  "thumbnail.webp": "Thumbnail",
  "thumbnail.jpg": "Thumbnail for old browsers",
  "sprite.webp": "Preview pictures",
  "sprite.vtt": "Times of the preview pictures",
  "waveform.json": "Waveform",
  "master.m3u8": "HLS: what players open",
  "index.m3u8": "HLS: list of segments",
  "seg.m4s": "HLS: segments",
};

const ORDER = Object.keys(MADE);

/** What a media is that was made of another. */
export function purposeOf(key: string): string {
  return MADE[key] ?? "Added by a client";
}

/** Return what was made of a media in the order of its worth to people. */
export function inOrder(items: LibraryItem[]): LibraryItem[] {
  const place = ({ key }: LibraryItem) => (key in MADE ? ORDER.indexOf(key) : ORDER.length);
  return items.toSorted((one, other) => place(one) - place(other));
}
