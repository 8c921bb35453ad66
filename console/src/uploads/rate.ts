const WINDOW_MILLISECONDS = 4_000;
const LEAST_MILLISECONDS = 200;

/** Bytes per second over the last seconds. Times are in milliseconds, of one clock. */
export class RateMeter {
  private samples: { at: number; total: number }[] = [];
  private total = 0;

  add(bytes: number): void {
    this.total += bytes;
  }

  /** Begin anew: what was before a pause says nothing. */
  reset(): void {
    this.samples = [];
  }

  /** Take a sample, and return the rate. */
  at(now: number): number {
    this.samples.push({ at: now, total: this.total });
    while (this.samples.length > 2 && now - (this.samples[0]?.at ?? now) > WINDOW_MILLISECONDS) {
      this.samples.shift();
    }
    const first = this.samples[0];
    if (first === undefined || now - first.at < LEAST_MILLISECONDS) return 0;
    return ((this.total - first.total) / (now - first.at)) * 1000;
  }
}
