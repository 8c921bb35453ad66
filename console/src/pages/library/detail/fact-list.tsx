import type { ReactNode } from "react";
import { Part } from "~/ui/part";
import classes from "./fact-list.module.css";

/** A name and its value; without a value the row is left out. */
export type Row = readonly [string, ReactNode];

/** A group of facts under a heading; nothing when there are none. */
export function FactList({ title, rows }: { title: string; rows: readonly Row[] }) {
  const known = rows.filter(([, value]) => value !== null && value !== undefined);
  if (known.length === 0) return null;
  return (
    <Part title={title}>
      <dl className={classes.facts}>
        {known.map(([name, value]) => (
          <div key={name} className={classes.row}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </Part>
  );
}
