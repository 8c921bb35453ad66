import type { ReactNode } from "react";
import type { LibraryMedia } from "~/api/library";
import { type Location, type MediaMeta, metaOf } from "~/api/meta";
import { formatCount, formatDuration, formatPercent } from "~/ui/format";
import type { Row } from "./fact-list";

type Fields = Record<string, unknown>;
type Shape = Record<string, [string, (value: never) => ReactNode]>;

const PICTURE: Shape = {
  codec: ["Codec", upperCase],
  profile: ["Profile", String],
  width: ["Width", pixels],
  height: ["Height", pixels],
  fps: ["Frame rate", (fps: number) => `${Number(fps.toFixed(2))} per second`],
  frames: ["Frames", formatCount],
  bit_rate: ["Bit rate", bitRate],
  rotation: ["Rotation", (degrees: number) => `${degrees}°`],
  pixel_format: ["Pixel format", String],
  orientation: ["Orientation", (value: number) => `${value} (EXIF)`],
  has_alpha: ["Transparency", yesOrNo],
};

const SOUND: Shape = {
  codec: ["Codec", upperCase],
  profile: ["Profile", String],
  sample_rate: ["Sample rate", (hertz: number) => `${formatCount(hertz)} Hz`],
  channels: ["Channels", String],
  layout: ["Layout", String],
  bit_rate: ["Bit rate", bitRate],
};

const CAMERA: Shape = {
  make: ["Make", String],
  model: ["Model", String],
  lens: ["Lens", String],
  // The camera's own clock, which may not say where it was.
  taken_at: ["Taken", (at: string) => at.replace("T", " ")],
  exposure_time: ["Exposure", exposure],
  f_number: ["Aperture", (number: number) => `f/${number}`],
  iso: ["ISO", String],
  focal_length: ["Focal length", (length: number) => `${length} mm`],
};

/** What is known of the picture of a film, or of a picture. */
export function pictureRows({ video, image }: MediaMeta): Row[] {
  const { exif: _exif, location: _location, ...picture } = image ?? {};
  return rowsOf({ ...video, ...picture }, PICTURE);
}

export function soundRows({ audio }: MediaMeta): Row[] {
  return rowsOf(audio ?? {}, SOUND);
}

/** How a photo was taken, and where. */
export function cameraRows({ image }: MediaMeta): Row[] {
  const rows = rowsOf(image?.exif ?? {}, CAMERA);
  return image?.location === undefined ? rows : [...rows, ["Place", place(image.location)]];
}

/** What is known of the file around picture and sound. */
export function containerRows(media: LibraryMedia): Row[] {
  const meta = metaOf(media);
  return [
    ["Format", meta.format],
    ["Best type", meta.mime_type === media.mime_type ? undefined : meta.mime_type],
    ["Duration", meta.duration === undefined ? undefined : exactDuration(meta.duration)],
    ["Bit rate", meta.bit_rate === undefined ? undefined : bitRate(meta.bit_rate)],
    ["Readable", meta.coverage === undefined ? undefined : formatPercent(meta.coverage)],
  ];
}

/** Return all fields: those that are known by their names, others as they are called. */
function rowsOf(fields: Fields, shape: Shape): Row[] {
  const known = Object.keys(shape).filter((name) => name in fields);
  const others = Object.keys(fields).filter((name) => !(name in shape));
  return [...known, ...others].map((name): Row => {
    const [label, show] = shape[name] ?? [name, asItIs];
    return [label, show(fields[name] as never)];
  });
}

function asItIs(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function upperCase(text: string): string {
  return text.toUpperCase();
}

function pixels(count: number): string {
  return `${formatCount(count)} px`;
}

function yesOrNo(value: boolean): string {
  return value ? "yes" : "no";
}

function bitRate(bits: number): string {
  return bits >= 1_000_000
    ? `${(bits / 1e6).toFixed(1)} Mbit/s`
    : `${Math.round(bits / 1000)} kbit/s`;
}

function exactDuration(seconds: number): string {
  return seconds < 60 ? `${Number(seconds.toFixed(3))} s` : formatDuration(seconds);
}

function exposure(seconds: number): string {
  return seconds < 1 && seconds > 0 ? `1/${Math.round(1 / seconds)} s` : `${seconds} s`;
}

function place({ latitude, longitude }: Location): string {
  return `${latitude.toFixed(5)}, ${longitude.toFixed(5)}`;
}
