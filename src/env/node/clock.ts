// The real clock and timers.
import type { Clock, Timer, Timers } from '#env/env.ts';

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
};

// setTimeout takes at most a 32-bit number of milliseconds; longer waits are cut into pieces.
const DELAY_MS_MAX = 0x7fff_ffff;

export const systemTimers: Timers = {
  after(delayMs: number, fire: () => void): Timer {
    let remainingMs = Math.max(0, delayMs);
    let handle: NodeJS.Timeout;
    const arm = (): void => {
      const stepMs = Math.min(remainingMs, DELAY_MS_MAX);
      handle = setTimeout(() => {
        remainingMs -= stepMs;
        if (remainingMs > 0) arm();
        else fire();
      }, stepMs);
    };
    arm();
    return { cancel: () => clearTimeout(handle) };
  },
};
