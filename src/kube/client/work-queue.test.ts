// The queue's contract, by tables on told time.
import assert from 'node:assert/strict';
import test from 'node:test';
import * as fc from 'fast-check';
import { SimClock } from '#env/sim/clock.ts';
import { Expectations } from './expectations.ts';
import { defaultBackOff, WorkQueue } from './work-queue.ts';

function make() {
  const clock = new SimClock();
  let readyCount = 0;
  const queue = new WorkQueue(defaultBackOff, () => (readyCount += 1), { clock, timers: clock });
  return { clock, queue, ready: () => readyCount };
}

test('WorkQueue gives keys in the order in which they came, each once', () => {
  const { queue } = make();
  for (const key of ['a', 'b', 'a', 'c', 'b']) queue.add(key);
  assert.deepEqual(
    [queue.take(), queue.take(), queue.take(), queue.take()],
    ['a', 'b', 'c', undefined],
  );
});

test('WorkQueue gives a key that was added while worked on again, and only after', () => {
  const { queue, ready } = make();
  queue.add('a');
  assert.equal(queue.take(), 'a');
  queue.add('a');
  queue.add('a');
  assert.equal(queue.take(), undefined);
  const before = ready();
  queue.done('a');
  assert.equal(ready(), before + 1);
  assert.equal(queue.take(), 'a');
  queue.done('a');
  assert.equal(queue.take(), undefined);
});

test('WorkQueue.addAfter() waits, and the shortest delay of a key counts', () => {
  const { queue, clock } = make();
  queue.addAfter('a', 100);
  queue.addAfter('a', 50);
  queue.addAfter('a', 200);
  clock.advance(49);
  assert.equal(queue.length, 0);
  clock.advance(1);
  assert.equal(queue.take(), 'a');
  queue.done('a');
  clock.advance(1_000);
  assert.equal(queue.take(), undefined);
});

test('WorkQueue.addRateLimited() waits twice as long each time, up to the maximum, until it works', () => {
  const { queue, clock } = make();
  const waits: number[] = [];
  for (let i = 0; i < 18; i++) {
    const start = clock.now();
    queue.addRateLimited('a');
    while (queue.length === 0) clock.step();
    queue.take();
    queue.done('a');
    waits.push(clock.now() - start);
  }
  assert.deepEqual(waits.slice(0, 4), [5, 10, 20, 40]);
  assert.equal(waits.at(-1), 60_000);
  queue.forget('a');
  assert.equal(queue.failureCount('a'), 0);
});

test('WorkQueue gives nothing after it was closed', () => {
  const { queue, clock } = make();
  queue.addAfter('a', 10);
  queue.add('b');
  queue.close();
  queue.add('c');
  clock.advance(100);
  assert.equal(queue.take(), undefined);
  assert.equal(clock.nextAt(), undefined);
});

type Op = { readonly op: 'add' | 'done'; readonly key: string } | { readonly op: 'take' };

test('WorkQueue never has a key taken twice at once, and loses none that was added', () => {
  const key = fc.constantFrom('a', 'b', 'c');
  const op: fc.Arbitrary<Op> = fc.oneof(
    fc.record({ op: fc.constant('add' as const), key }),
    fc.record({ op: fc.constant('done' as const), key }),
    fc.constant({ op: 'take' as const }),
  );
  fc.assert(
    fc.property(fc.array(op, { maxLength: 60 }), (ops) => {
      const { queue } = make();
      const working = new Set<string>();
      const owed = new Set<string>();
      for (const one of ops) {
        if (one.op === 'add') {
          queue.add(one.key);
          owed.add(one.key);
        } else if (one.op === 'take') {
          const taken = queue.take();
          if (taken === undefined) continue;
          assert.ok(!working.has(taken) && owed.has(taken));
          working.add(taken);
          owed.delete(taken);
        } else if (working.delete(one.key)) queue.done(one.key);
      }
      for (const one of working) queue.done(one);
      for (let taken = queue.take(); taken !== undefined; taken = queue.take()) {
        assert.ok(owed.delete(taken));
        queue.done(taken);
      }
      assert.equal(owed.size, 0);
    }),
  );
});

test('Expectations hold until all was seen, or five minutes have passed', () => {
  const clock = new SimClock();
  const expectations = new Expectations(clock);
  assert.ok(expectations.isSatisfied('x'));
  expectations.expectCreations('x', 2);
  expectations.expectDeletion('x', 'uid');
  expectations.creationObserved('x');
  assert.ok(!expectations.isSatisfied('x'));
  expectations.creationObserved('x');
  expectations.creationObserved('x');
  assert.ok(!expectations.isSatisfied('x'));
  expectations.deletionObserved('x', 'other');
  assert.ok(!expectations.isSatisfied('x'));
  expectations.deletionObserved('x', 'uid');
  assert.ok(expectations.isSatisfied('x'));
  expectations.expectCreations('y', 1);
  clock.advance(5 * 60_000 + 1);
  assert.ok(expectations.isSatisfied('y'));
});
