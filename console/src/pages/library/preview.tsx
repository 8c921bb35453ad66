import { useQuery } from "@tanstack/react-query";
import { formatClock } from "~/ui/format";
import classes from "./preview.module.css";
import { fetchTiles, type Tile, tileAt } from "./sprite";

/** Where the pointer is over a picture: a part of its width, and how large it is in pixels. */
export interface Pointed {
  ratio: number;
  width: number;
  height: number;
}

/** What a film shows at the time that the pointer is at. */
export function Preview({ sprite, pointed }: { sprite: string; pointed: Pointed }) {
  const { data: tiles } = useQuery({
    queryKey: ["library", "sprite", sprite],
    queryFn: ({ signal }) => fetchTiles(sprite, signal),
    staleTime: 60_000,
    retry: false,
  });
  const tile = tileAt(tiles ?? [], pointed.ratio);
  if (tiles === undefined || tile === undefined) return null;
  const seconds = pointed.ratio * (tiles.at(-1)?.end ?? 0);
  return (
    <div className={classes.preview} aria-hidden>
      <div className={classes.tile} style={styleOf(tile, pointed)} />
      <div className={classes.line} style={{ width: `${pointed.ratio * 100}%` }} />
      <span className={classes.clock}>{formatClock(seconds)}</span>
    </div>
  );
}

/** Show nothing but the tile, so large that it covers the picture. */
function styleOf(tile: Tile, pointed: Pointed) {
  const scale = Math.max(pointed.width / tile.width, pointed.height / tile.height);
  return {
    width: tile.width,
    height: tile.height,
    backgroundImage: `url("${tile.picture}")`,
    backgroundPosition: `-${tile.x}px -${tile.y}px`,
    transform: `translate(-50%, -50%) scale(${scale})`,
  };
}
