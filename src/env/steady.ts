// A clock for programs that keep deadlines: it shows the time of day, but never jumps with it. When somebody
// sets the machine's clock, it runs a little faster or slower until it agrees again.
import type { Clock } from './env.ts';

/** So much of the time that passes may go into agreeing. */
const RATE = 0.05;

export function steadyClock({ now: wall, monotonicMs }: Clock): Clock {
  let shown = wall();
  let seenMs = monotonicMs();
  const now = (): number => {
    const ms = monotonicMs();
    const passed = ms - seenMs;
    const apart = wall() - (shown + passed);
    const most = passed * RATE;
    shown += passed + Math.max(-most, Math.min(most, apart));
    seenMs = ms;
    return shown;
  };
  return { now, monotonicMs };
}
