import type { LibraryMedia } from "~/api/library";

/** Something that a player can be given. */
export interface Source {
  kind: "hls" | "file" | "original";
  label: string;
  url: string;
}

const HLS_TYPE = "application/vnd.apple.mpegurl";

/** Return what there is to play of a media, the best first. */
export function sourcesOf({ hls, playable, url, key }: LibraryMedia): Source[] {
  if (playable === null) return [];
  const sources: Source[] = [];
  if (hls !== null && key === "") sources.push({ kind: "hls", label: "HLS", url: hls });
  if (playable !== url) sources.push({ kind: "file", label: "Copy", url: playable });
  sources.push({ kind: "original", label: "Original", url });
  return sources;
}

/**
 * Let an element play a source from `at` (seconds) on; call what is returned to end that.
 *
 * `failed` is called when it cannot be played. The element's own errors are for the caller to hear.
 */
export function play(
  element: HTMLMediaElement,
  asked: Pick<Source, "kind" | "url"> & { at: number; failed: () => void },
): () => void {
  const { kind, url, at, failed } = asked;
  const seek = () => {
    if (at > 0) element.currentTime = at;
  };
  element.addEventListener("loadedmetadata", seek, { once: true });
  const isNative = kind !== "hls" || element.canPlayType(HLS_TYPE) !== "";
  const detach = isNative ? attach(element, url) : attachByScript(element, url, failed);
  return () => {
    element.removeEventListener("loadedmetadata", seek);
    detach();
    element.removeAttribute("src");
    element.load();
  };
}

function attach(element: HTMLMediaElement, url: string): () => void {
  element.src = url;
  return () => {};
}

function attachByScript(element: HTMLMediaElement, url: string, failed: () => void): () => void {
  let detach = () => {};
  let isWanted = true;
  import("hls.js/light").then(({ default: Hls }) => {
    if (!isWanted) return;
    if (!Hls.isSupported()) return failed();
    // Its worker would be a script that the page's policy does not let in.
    const player = new Hls({ enableWorker: false });
    player.on(Hls.Events.ERROR, (_, { fatal }) => {
      if (fatal) failed();
    });
    player.loadSource(url);
    player.attachMedia(element);
    detach = () => player.destroy();
  }, failed);
  return () => {
    isWanted = false;
    detach();
  };
}
