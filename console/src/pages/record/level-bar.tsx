import { useEffect, useRef } from "react";
import { LevelMeter } from "~/recorder/level-meter";
import classes from "./record.module.css";

/** How loud it is, drawn with every picture of the screen. */
export function LevelBar({ stream }: { stream: MediaStream }) {
  const meter = useRef<HTMLMeterElement>(null);

  useEffect(() => {
    const levels = new LevelMeter(stream);
    let frame = 0;
    const draw = () => {
      if (meter.current !== null) meter.current.value = levels.level();
      frame = requestAnimationFrame(draw);
    };
    draw();
    return () => {
      cancelAnimationFrame(frame);
      levels.close();
    };
  }, [stream]);

  return (
    <meter
      ref={meter}
      min={0}
      max={1}
      low={0.75}
      high={0.9}
      optimum={0.4}
      aria-label="Sound level"
      className={classes.meter}
    />
  );
}
