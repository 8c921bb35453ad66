/** A value outside of React, which is made anew at most every so often while it changes. */
export class ThrottledStore<T> {
  private readonly watchers = new Set<() => void>();
  private timer: number | undefined;
  private madeAt = 0;

  constructor(
    private value: T,
    private readonly make: () => T,
    private readonly milliseconds: number,
  ) {}

  watch = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  };

  current = (): T => this.value;

  /** Something has changed: make the value anew, at once or when it is time. */
  changed(): void {
    const wait = this.madeAt + this.milliseconds - performance.now();
    this.timer ??= window.setTimeout(() => this.renew(), Math.max(wait, 0));
  }

  private renew(): void {
    this.timer = undefined;
    this.madeAt = performance.now();
    this.value = this.make();
    for (const watcher of this.watchers) watcher();
  }
}
