/** Reasons for which the browser asks before it closes or reloads the page. */
const reasons = new Set<string>();

function ask(event: BeforeUnloadEvent): void {
  event.preventDefault();
}

/** Let the browser ask, or no longer, for a reason of the caller's. */
export function askBeforeLeaving(reason: string, asked: boolean): void {
  if (asked) reasons.add(reason);
  else reasons.delete(reason);
  // A listener that is always there would keep the page out of the browser's cache.
  if (reasons.size > 0) window.addEventListener("beforeunload", ask);
  else window.removeEventListener("beforeunload", ask);
}
