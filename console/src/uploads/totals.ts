import type { Totals, UploadItem, UploadState } from "~/uploads/types";

const NOBODY_DECIDES: ReadonlySet<UploadState> = new Set(["waiting", "uploading", "interrupted"]);

/** Tell whether an upload goes on without anybody doing something. */
export function isUnderWay(state: UploadState): boolean {
  return NOBODY_DECIDES.has(state);
}

/** Sum up the queue. `rate`: what all uploads together send, in bytes per second. */
export function totalsOf(items: readonly UploadItem[], rate: number): Totals {
  const states = {
    waiting: 0,
    uploading: 0,
    interrupted: 0,
    paused: 0,
    lost: 0,
    failed: 0,
    finished: 0,
  };
  let bytes = 0;
  let sent = 0;
  let toSend = 0;
  for (const item of items) {
    states[item.state] += 1;
    bytes += item.size;
    sent += item.sent;
    if (isUnderWay(item.state)) toSend += item.size - item.sent;
  }
  const secondsLeft = rate > 0 && toSend > 0 ? toSend / rate : null;
  return { files: items.length, states, bytes, sent, rate, secondsLeft };
}
