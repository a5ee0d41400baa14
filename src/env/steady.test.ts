// A clock that is set by hand moves no deadline by more than a twentieth.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { steadyClock } from './steady.ts';

const HOUR_MS = 3_600_000;

function machine() {
  let [wall, mono] = [1_000_000_000_000, 500];
  const clock = steadyClock({ now: () => wall, monotonicMs: () => mono });
  return {
    clock,
    pass(ms: number) {
      wall += ms;
      mono += ms;
    },
    set(byMs: number) {
      wall += byMs;
    },
    wall: () => wall,
  };
}

test('it shows the time of day', () => {
  const { clock, pass, wall } = machine();
  assert.equal(clock.now(), wall());
  pass(1_234);
  assert.equal(clock.now(), wall());
});

for (const byMs of [HOUR_MS, -HOUR_MS]) {
  test(`set by ${byMs / HOUR_MS} h, a deadline comes when it should, and the two agree in a day`, () => {
    const { clock, pass, set, wall } = machine();
    const before = clock.now();
    set(byMs);
    pass(3_000);
    const passed = clock.now() - before;
    assert.ok(passed >= 2_850 && passed <= 3_150, `${passed}`);
    for (let hour = 0; hour < 24; hour += 1) {
      pass(HOUR_MS);
      clock.now();
    }
    assert.equal(Math.round(clock.now()), wall());
  });
}

test('whatever is done to the clock, time passes, and by no more than a twentieth wrongly', () => {
  const step = fc.record({
    passMs: fc.integer({ min: 0, max: HOUR_MS }),
    setMs: fc.integer({ min: -100 * HOUR_MS, max: 100 * HOUR_MS }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
      const { clock, pass, set } = machine();
      let before = clock.now();
      for (const { passMs, setMs } of steps) {
        set(setMs);
        pass(passMs);
        const now = clock.now();
        assert.ok(Math.abs(now - before - passMs) <= passMs * 0.05 + 0.01);
        before = now;
      }
    }),
  );
});
