// What every clock with timers must do; `elapse` lets at least that much time pass.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock, Timers } from '#env/env.ts';

export interface ClockUnderTest {
  readonly clock: Clock;
  readonly timers: Timers;
  elapse(ms: number): Promise<void>;
}

export function clockConformance(name: string, make: () => ClockUnderTest): void {
  test(`${name}: timers fire in order of their time, not before it`, async () => {
    const { clock, timers, elapse } = make();
    const start = clock.monotonicMs();
    const fired: string[] = [];
    timers.after(20, () => fired.push(`b${clock.monotonicMs() - start >= 19}`));
    timers.after(5, () => fired.push(`a${clock.monotonicMs() - start >= 4}`));
    assert.deepEqual(fired, []);
    await elapse(60);
    assert.deepEqual(fired, ['atrue', 'btrue']);
  });

  test(`${name}: a cancelled timer never fires, cancelling twice is harmless`, async () => {
    const { timers, elapse } = make();
    let fired = false;
    const timer = timers.after(5, () => {
      fired = true;
    });
    timer.cancel();
    timer.cancel();
    await elapse(20);
    assert.equal(fired, false);
  });

  test(`${name}: a timer may set another from within`, async () => {
    const { timers, elapse } = make();
    let count = 0;
    timers.after(1, () => timers.after(1, () => (count += 1)));
    // On a busy machine both may be due at the end of the first wait only: the second is set by then.
    for (let waits = 0; count === 0 && waits < 100; waits++) await elapse(40);
    assert.equal(count, 1);
    await elapse(40);
    assert.equal(count, 1);
  });
}
