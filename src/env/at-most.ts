// Waiting for something, but not for ever.
import type { Timers } from './env.ts';

/** Resolves when the work has, or after that time in any case; rejects when the work rejects before. */
export async function atMost(ms: number, work: Promise<unknown>, timers: Timers): Promise<void> {
  const limit = Promise.withResolvers<void>();
  const timer = timers.after(ms, limit.resolve);
  try {
    await Promise.race([work, limit.promise]);
  } finally {
    timer.cancel();
  }
}
