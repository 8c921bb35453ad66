import type { SourceKind } from "~/recorder/types";

const THINGS: Record<SourceKind, string> = {
  camera: "camera or microphone",
  screen: "screen",
  microphone: "microphone",
};

/** Return why this page cannot record at all, null when it can. */
export function whyNot(): string | null {
  if (!window.isSecureContext) {
    return (
      "Browsers give camera, screen and microphone only to pages that come over https, or from " +
      "this very machine. Open the console at its https address."
    );
  }
  if (navigator.mediaDevices === undefined || typeof MediaRecorder === "undefined") {
    return "This browser cannot record. Recent versions of Chrome, Edge, Firefox and Safari can.";
  }
  return null;
}

/** Return why a source did not open, and what to do. */
export function wordsFor(error: unknown, kind: SourceKind): string {
  const thing = THINGS[kind];
  const name = error instanceof DOMException ? error.name : "";
  switch (name) {
    case "NotAllowedError":
      return kind === "screen"
        ? "Nothing was chosen to be shown, or this browser may not show the screen. Try again and choose a screen, a window or a tab."
        : `This page may not use the ${thing}. Allow it beside the address, and try again.`;
    case "NotFoundError":
      return `The browser finds no ${thing}. Connect one, and try again.`;
    case "NotReadableError":
      return `The ${thing} is used by another program, or the system keeps it back. Close what uses it, and try again.`;
    case "OverconstrainedError":
      return `The ${thing} cannot do what was chosen. Choose another device or a smaller picture.`;
    default:
      return error instanceof Error ? error.message : String(error);
  }
}
