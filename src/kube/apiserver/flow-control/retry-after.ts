// What refused clients are told to wait: twice as long as long as many are refused, less when few are
// (dropped_requests_tracker.go of k8s.io/apiserver v0.37). One for each priority level.

const SECONDS_MAX = 32;

export class RetryAfter {
  seconds = 1;
  #raisedAt = 0;
  #second = 0;
  #count = 0;
  /** Seconds that are over: which, and how many were refused in it. */
  #history: { readonly second: number; readonly count: number }[] = [];

  refused(nowMs: number): void {
    const second = Math.floor(nowMs / 1_000);
    if (second === this.#second) {
      this.#count += 1;
      return;
    }
    this.#history.push({ second: this.#second, count: this.#count });
    const oldest = second - Math.min(2 * this.seconds, SECONDS_MAX);
    this.#history = this.#history.filter((one) => one.second >= oldest);
    this.#second = second;
    this.#count = 1;
    this.#adapt(second);
  }

  #adapt(second: number): void {
    const from = second - this.seconds;
    const count = this.#history
      .filter((one) => one.second >= from)
      .reduce((sum, one) => sum + one.count, 0);
    if (second - this.#raisedAt >= this.seconds && count >= 3 * this.seconds) {
      this.seconds = Math.min(SECONDS_MAX, 2 * this.seconds);
      this.#raisedAt = second;
    } else if (count < this.seconds && this.seconds > 1) this.seconds -= 1;
  }
}
