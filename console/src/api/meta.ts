/** What was found out about a media; see the reference of `meta`. What is not known is absent. */
export interface MediaMeta {
  kind?: "video" | "audio" | "image";
  format?: string;
  mime_type?: string;
  /** Seconds. */
  duration?: number;
  /** Bits per second. */
  bit_rate?: number;
  video?: { codec?: string; [field: string]: unknown };
  audio?: { codec?: string; [field: string]: unknown };
  image?: { exif?: Record<string, unknown>; location?: Location; [field: string]: unknown };
  /** Share of the bytes that could be read, from 0 to 1. */
  coverage?: number;
  /** Begin and end in seconds. */
  gaps?: [number, number][];
  warnings?: string[];
  /** Why nothing could be found out. */
  error?: string;
  [field: string]: unknown;
}

/** Degrees, north and east positive. */
export interface Location {
  latitude: number;
  longitude: number;
}

/** Return what was found out about a media; a service's answer only says that it is an object. */
export function metaOf(media: { meta: Record<string, unknown> }): MediaMeta {
  return media.meta;
}
