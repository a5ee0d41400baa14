// Rate limits on a virtual clock: spacing, order, room, and what is wrong with a configuration.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimClock } from '#env/sim/clock.ts';
import type { RateLimits as Config } from '#wire/mesos/v1.ts';
import { RateLimits, rateLimitsProblem } from './rate-limits.ts';

class Story {
  readonly clock = new SimClock();
  readonly limits: RateLimits;
  /** `NAME at MS` */
  readonly passed: string[] = [];
  readonly #from = this.clock.monotonicMs();

  constructor(config: Config) {
    this.limits = new RateLimits(config, this.clock, this.clock);
  }

  send(principal: string | undefined, name: string): string {
    const run = (): void => {
      this.passed.push(`${name} at ${this.clock.monotonicMs() - this.#from}`);
    };
    const { kind } = this.limits.message(principal, run);
    if (kind === 'now') run();
    return kind;
  }
}

test('RateLimits lets one through in each interval, in order, and drops what has no room', () => {
  const story = new Story({ limits: [{ principal: 'p', qps: 2, capacity: 2 }] });
  const kinds = ['a', 'b', 'c', 'd'].map((name) => story.send('p', name));
  assert.deepEqual(kinds, ['now', 'queued', 'queued', 'dropped']);
  assert.equal(story.limits.waiting, 2);
  story.clock.advance(600);
  assert.equal(story.send('p', 'e'), 'queued');
  story.clock.advance(5_000);
  assert.deepEqual(story.passed, ['a at 0', 'b at 500', 'c at 1000', 'e at 1500']);
  assert.equal(story.send('p', 'f'), 'now');
});

test('RateLimits: principals without a limit share one, those with none have none', () => {
  const story = new Story({ limits: [{ principal: 'free' }], aggregate_default_qps: 1 });
  assert.deepEqual(
    [story.send('x', 'x'), story.send(undefined, 'y'), story.send('z', 'z')],
    ['now', 'queued', 'queued'],
  );
  for (let i = 0; i < 100; i++) assert.equal(story.send('free', 'free'), 'now');
  const open = new Story({ limits: [{ principal: 'p', qps: 1 }] });
  for (let i = 0; i < 100; i++) assert.equal(open.send('x', 'x'), 'now');
});

test('RateLimits: an end waits for what was sent before, however full it is', () => {
  const story = new Story({ limits: [{ principal: 'p', qps: 1, capacity: 1 }] });
  story.send('p', 'a');
  story.send('p', 'b');
  assert.ok(story.limits.holdsEnd('p', () => story.passed.push('end')));
  assert.equal(story.send('p', 'c'), 'dropped');
  story.clock.advance(3_000);
  assert.deepEqual(story.passed, ['a at 0', 'b at 1000', 'end']);
  assert.equal(
    story.limits.holdsEnd('other', () => {}),
    false,
  );
});

test('RateLimits.close() leaves nothing behind', () => {
  const story = new Story({ limits: [{ principal: 'p', qps: 1 }] });
  story.send('p', 'a');
  story.send('p', 'b');
  story.limits.close();
  assert.equal(story.clock.nextAt(), undefined);
});

const wrong: readonly (readonly [Config, string])[] = [
  [{ limits: [{ principal: 'p', qps: 0 }] }, 'Invalid qps: 0. It must be a positive number'],
  [
    { limits: [{ principal: 'p' }, { principal: 'p', qps: 1 }] },
    'Duplicate principal p found in RateLimits configuration',
  ],
  [
    { aggregate_default_qps: -1 },
    'Invalid aggregate_default_qps: -1. It must be a positive number',
  ],
];
for (const [config, problem] of wrong) {
  test(`rateLimitsProblem() says "${problem}"`, () => {
    assert.equal(rateLimitsProblem(config), problem);
  });
}
