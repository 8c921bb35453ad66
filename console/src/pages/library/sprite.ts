import { ServiceError } from "~/api/errors";

/** The part of a picture that shows some seconds of a media; in pixels of the picture. */
export interface Tile {
  start: number;
  end: number;
  picture: string;
  x: number;
  y: number;
  width: number;
  height: number;
}

/** Return the tiles that a WebVTT file names by media fragments (`#xywh=`). */
export async function fetchTiles(address: string, signal: AbortSignal): Promise<Tile[]> {
  const response = await fetch(address, { signal });
  if (!response.ok) throw new ServiceError(response, null);
  return parseTiles(await response.text(), new URL(address, window.location.href));
}

/** Return the tile at a part of the length of a media, from 0 to 1. */
export function tileAt(tiles: Tile[], ratio: number): Tile | undefined {
  const seconds = ratio * (tiles.at(-1)?.end ?? 0);
  return tiles.find((tile) => seconds < tile.end) ?? tiles.at(-1);
}

function parseTiles(text: string, base: URL): Tile[] {
  const tiles: Tile[] = [];
  for (const block of text.split(/\r?\n\r?\n/)) {
    const [, from, to, named] = /^(\S+) --> (\S+).*\r?\n(\S+)/m.exec(block) ?? [];
    if (from === undefined || to === undefined || named === undefined) continue;
    const picture = new URL(named, base);
    const place = /^#xywh=(?:pixel:)?(\d+),(\d+),(\d+),(\d+)$/.exec(picture.hash);
    if (place === null) continue;
    const [x = 0, y = 0, width = 0, height = 0] = place.slice(1).map(Number);
    picture.hash = "";
    tiles.push({ start: clock(from), end: clock(to), picture: picture.href, x, y, width, height });
  }
  return tiles;
}

/** Return the seconds of a time of WebVTT: `01:02:03.456`, or without the hours. */
function clock(text: string): number {
  return text.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
}
