import { Link } from "@tanstack/react-router";
import { memo } from "react";
import type { LibraryItem } from "~/api/library";
import { formatClock } from "~/ui/format";
import { MediaKindIcon } from "~/ui/media-kind";
import classes from "./card.module.css";
import { Thumbnail } from "./thumbnail";
import { ListedBytes, ListedTime } from "./values";

export interface MediaProps {
  item: LibraryItem;
  index: number;
  chosen: boolean;
  toggle: (index: number, range: boolean) => void;
}

/** A media in the grid. */
export const MediaCard = memo(function MediaCard({ item, index, chosen, toggle }: MediaProps) {
  return (
    <div className={classes.card} data-chosen={chosen || undefined}>
      <Link to="/library/$id" params={{ id: item.id }} preload={false} className={classes.link}>
        <div className={classes.picture}>
          <Thumbnail item={item} iconSize={44} />
          {item.duration !== null && (
            <span className={classes.duration}>{formatClock(item.duration)}</span>
          )}
        </div>
        <div className={classes.text}>
          <span className={classes.name} title={item.filename}>
            {item.filename}
          </span>
          <span className={classes.facts}>
            <MediaKindIcon kind={item.kind} size={14} />
            <ListedBytes value={item.size} />
            <span aria-hidden>·</span>
            <ListedTime value={item.created_at} className={classes.time} />
          </span>
        </div>
      </Link>
      <MediaCheckbox className={classes.choice} {...{ item, index, chosen, toggle }} />
    </div>
  );
});

/** Chooses a media, or not. A plain one, because there are so many of them. */
export function MediaCheckbox({ item, index, chosen, toggle, className }: CheckboxProps) {
  return (
    <input
      type="checkbox"
      aria-label={`Choose ${item.filename}`}
      className={`${classes.checkbox} ${className}`}
      checked={chosen}
      onChange={({ nativeEvent }) =>
        toggle(index, nativeEvent instanceof MouseEvent && nativeEvent.shiftKey)
      }
    />
  );
}

type CheckboxProps = MediaProps & { className: string | undefined };
