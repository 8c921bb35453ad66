import { Link } from "@tanstack/react-router";
import { memo } from "react";
import { formatClock } from "~/ui/format";
import { MediaKindIcon } from "~/ui/media-kind";
import { MediaCheckbox, type MediaProps } from "./card";
import classes from "./table.module.css";
import { Thumbnail } from "./thumbnail";
import { ListedBytes, ListedTime } from "./values";

/** Of every row, in pixels. */
export const ROW_HEIGHT = 57;

const MOST_TAGS = 3;

/** A media in the table. */
export const MediaRow = memo(function MediaRow({ item, index, chosen, toggle }: MediaProps) {
  return (
    <tr
      className={classes.row}
      aria-rowindex={index + 2}
      data-chosen={chosen || undefined}
      style={{ height: ROW_HEIGHT }}
    >
      <td className={classes.choice}>
        <MediaCheckbox className={classes.raised} {...{ item, index, chosen, toggle }} />
      </td>
      <td className={classes.thumbnail}>
        <div className={classes.picture}>
          <Thumbnail item={item} iconSize={22} />
        </div>
      </td>
      <td className={classes.name}>
        <div className={classes.line}>
          <MediaKindIcon kind={item.kind} />
          <Link
            to="/library/$id"
            params={{ id: item.id }}
            preload={false}
            className={classes.link}
            title={item.filename}
          >
            {item.filename}
          </Link>
        </div>
      </td>
      <td className={classes.tags}>
        <div className={classes.line}>
          {item.tags.slice(0, MOST_TAGS).map((tag) => (
            <span key={tag} className={classes.tag}>
              {tag}
            </span>
          ))}
          {item.tags.length > MOST_TAGS && `+${item.tags.length - MOST_TAGS}`}
        </div>
      </td>
      <td className={classes.duration}>
        {item.duration === null ? "" : formatClock(item.duration)}
      </td>
      <td className={classes.size}>
        <ListedBytes value={item.size} className={classes.raised} />
      </td>
      <td className={classes.created_at}>
        <ListedTime value={item.created_at} className={classes.raised} />
      </td>
    </tr>
  );
});
