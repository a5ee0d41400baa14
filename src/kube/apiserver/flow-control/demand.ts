// How many seats a level could have used, over time: its mean, deviation and peak between two looks, and
// the smoothed figure by which seats are lent (integrator.go and seatDemandStats of k8s.io/apiserver v0.37).

/** Half of what was is forgotten after five minutes of looks every ten seconds. */
const SMOOTHING = 0.977;

export class SeatDemand {
  #value = 0;
  #changedAt: number;
  #ms = 0;
  #integral = 0;
  #squares = 0;
  #max = 0;
  average = 0;
  deviation = 0;
  highWatermark = 0;
  smoothed = 0;

  constructor(now: number) {
    this.#changedAt = now;
  }

  set(value: number, now: number): void {
    this.#integrate(now);
    this.#value = value;
    if (value > this.#max) this.#max = value;
  }

  #integrate(now: number): void {
    const ms = now - this.#changedAt;
    this.#changedAt = now;
    this.#ms += ms;
    this.#integral += this.#value * ms;
    this.#squares += this.#value * this.#value * ms;
  }

  /** Ends a period of so many looks (more than one after a time without requests). */
  look(now: number, periods: number): void {
    this.#integrate(now);
    this.highWatermark = Math.round(this.#max);
    this.#max = this.#value;
    if (this.#ms > 0) {
      this.average = this.#integral / this.#ms;
      this.deviation = Math.sqrt(Math.max(0, this.#squares / this.#ms - this.average ** 2));
    }
    this.#ms = 0;
    this.#integral = 0;
    this.#squares = 0;
    const envelope = this.average + this.deviation;
    const kept = SMOOTHING ** periods;
    this.smoothed = Math.max(envelope, kept * this.smoothed + (1 - kept) * envelope);
  }
}
