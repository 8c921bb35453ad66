import { type PointerEvent, useState } from "react";
import type { LibraryItem } from "~/api/library";
import { MediaKindIcon } from "~/ui/media-kind";
import { type Pointed, Preview } from "./preview";
import classes from "./thumbnail.module.css";

/** The picture of a media, or of its kind; a film shows what it holds under the pointer. */
export function Thumbnail({ item, iconSize }: { item: LibraryItem; iconSize: number }) {
  const [failed, setFailed] = useState(false);
  const [pointed, setPointed] = useState<Pointed | null>(null);

  function point(event: PointerEvent<HTMLDivElement>) {
    if (event.pointerType !== "mouse") return;
    const { left, width, height } = event.currentTarget.getBoundingClientRect();
    const ratio = Math.min(Math.max((event.clientX - left) / width, 0), 1);
    setPointed({ ratio, width, height });
  }

  return (
    <div
      className={classes.picture}
      data-kind={item.kind}
      onPointerMove={item.sprite === null ? undefined : point}
      onPointerLeave={() => setPointed(null)}
    >
      {item.thumbnail === null || failed ? (
        <MediaKindIcon kind={item.kind} size={iconSize} />
      ) : (
        <img
          src={item.thumbnail}
          alt=""
          loading="lazy"
          decoding="async"
          draggable={false}
          onError={() => setFailed(true)}
        />
      )}
      {item.sprite !== null && pointed !== null && (
        <Preview sprite={item.sprite} pointed={pointed} />
      )}
    </div>
  );
}
