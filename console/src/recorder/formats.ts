export interface Format {
  mimeType: string;
  label: string;
}

/** The best first: small for what is seen, and what the service can keep as it is. */
const VIDEO: Format[] = [
  { mimeType: "video/webm;codecs=vp9,opus", label: "WebM (VP9, Opus)" },
  { mimeType: "video/webm;codecs=vp8,opus", label: "WebM (VP8, Opus)" },
  { mimeType: "video/mp4;codecs=avc1.42E01E,opus", label: "MP4 (H.264, Opus)" },
  { mimeType: "video/mp4;codecs=avc1.42E01E,mp4a.40.2", label: "MP4 (H.264, AAC)" },
  { mimeType: "video/webm", label: "WebM" },
  { mimeType: "video/mp4", label: "MP4" },
];
const AUDIO: Format[] = [
  { mimeType: "audio/webm;codecs=opus", label: "WebM (Opus)" },
  { mimeType: "audio/mp4;codecs=mp4a.40.2", label: "MP4 (AAC)" },
  { mimeType: "audio/ogg;codecs=opus", label: "Ogg (Opus)" },
  { mimeType: "audio/mp4", label: "MP4" },
];

/** Return the formats that this browser can record in, the best first. */
export function supportedFormats(hasPictures: boolean): Format[] {
  if (typeof MediaRecorder === "undefined") return [];
  const known = hasPictures ? VIDEO : AUDIO;
  return known.filter(({ mimeType }) => MediaRecorder.isTypeSupported(mimeType));
}
