import { type CSSProperties, type MouseEvent, useEffect, useRef, useState } from "react";

const STEP = 1.5;
const LEAST = 0.05;
const MOST = 16;

/** A place of a picture, as shares of its width and height, and where in the frame it is shown. */
interface Anchor {
  share: [number, number];
  shown: [number, number];
}

/** How large a picture is shown in a frame that scrolls. `scale` is null while it fits whole. */
export function useZoom() {
  const frame = useRef<HTMLElement>(null);
  const image = useRef<HTMLImageElement>(null);
  const anchor = useRef<Anchor | null>(null);
  const [scale, setScale] = useState<number | null>(null);

  const zoom = (wanted: number, at?: { clientX: number; clientY: number }) => {
    anchor.current = anchorOf(frame.current, image.current, at);
    setScale(Math.min(Math.max(wanted, LEAST), MOST));
  };
  const current = () => {
    const shown = image.current;
    if (scale !== null || shown === null || shown.naturalWidth === 0) return scale ?? 1;
    return shown.clientWidth / shown.naturalWidth;
  };
  const zoomBy = (factor: number, at?: MouseEvent | WheelEvent) => zoom(current() * factor, at);

  // What was looked at stays in its place.
  // biome-ignore lint/correctness/useExhaustiveDependencies: it is done after each change of scale
  useEffect(() => {
    const [shown, kept] = [image.current, anchor.current];
    if (frame.current === null || shown === null || kept === null) return;
    frame.current.scrollLeft = shown.offsetLeft + kept.share[0] * shown.width - kept.shown[0];
    frame.current.scrollTop = shown.offsetTop + kept.share[1] * shown.height - kept.shown[1];
  }, [scale]);

  const wheel = useRef((_: WheelEvent) => {});
  useEffect(() => {
    wheel.current = (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      zoomBy(event.deltaY < 0 ? 1.1 : 1 / 1.1, event);
    };
  });
  useEffect(() => {
    const scrolled = frame.current;
    // React listens passively, so that its listener could not keep the page from zooming too.
    const listen = (event: WheelEvent) => wheel.current(event);
    scrolled?.addEventListener("wheel", listen, { passive: false });
    return () => scrolled?.removeEventListener("wheel", listen);
  }, []);

  const natural = image.current?.naturalWidth ?? 0;
  const style: CSSProperties | undefined =
    scale === null ? undefined : { width: Math.max(Math.round(natural * scale), 1) };
  return {
    frame,
    image,
    scale,
    style,
    larger: () => zoomBy(STEP),
    smaller: () => zoomBy(1 / STEP),
    original: () => zoom(1),
    fit: () => setScale(null),
    toggleAt: (event: MouseEvent) =>
      scale === null ? zoom(Math.max(1, current() * 2), event) : setScale(null),
  };
}

/** Return the place that is looked at: that of a pointer, else the middle of the frame. */
function anchorOf(
  frame: HTMLElement | null,
  image: HTMLImageElement | null,
  at?: { clientX: number; clientY: number },
): Anchor | null {
  if (frame === null || image === null) return null;
  const around = frame.getBoundingClientRect();
  const shown = image.getBoundingClientRect();
  const x = at?.clientX ?? around.left + around.width / 2;
  const y = at?.clientY ?? around.top + around.height / 2;
  return {
    share: [(x - shown.left) / shown.width, (y - shown.top) / shown.height],
    shown: [x - around.left, y - around.top],
  };
}
