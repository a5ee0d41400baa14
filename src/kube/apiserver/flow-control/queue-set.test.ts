// What always holds of fair queues, whatever comes; and that a flow that asks for more gets no more.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { QueueSet, seatsOf, type Ticket } from './queue-set.ts';

const queuing = { queues: 8, handSize: 2, queueLengthLimit: 4 };

function ticket(flow: string, seats = 1, additionalMs = 0): Ticket {
  return {
    schema: 'schema',
    flow,
    arrivedAt: 0,
    work: { initialSeats: 1, finalSeats: seats, additionalMs },
    arrivalR: 0,
    startedAt: 0,
    queue: undefined,
    state: 'waiting',
  };
}

type Step =
  | { kind: 'start'; queue: number; seats: number; additionalMs: number; isHeld: boolean }
  | { kind: 'finish' | 'cancel' | 'release'; which: number }
  | { kind: 'limit'; limit: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('start' as const),
      queue: fc.nat(7),
      seats: fc.integer({ min: 1, max: 5 }),
      additionalMs: fc.constantFrom(0, 0, 10),
      isHeld: fc.boolean(),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom('finish' as const, 'cancel' as const, 'release' as const),
      which: fc.nat(100),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('limit' as const),
      limit: fc.integer({ min: 1, max: 9 }),
    }),
  },
);

interface World {
  readonly set: QueueSet;
  limit: number;
  readonly waiting: Ticket[];
  readonly executing: Ticket[];
  readonly lingering: Ticket[];
}

function begin(world: World, now: number): void {
  for (let one = world.set.next(now); one !== undefined; one = world.set.next(now)) {
    assert.ok(world.waiting.includes(one), 'what starts has waited');
    world.waiting.splice(world.waiting.indexOf(one), 1);
    world.executing.push(one);
  }
}

function perform(world: World, one: Step, now: number): void {
  const { set, waiting, executing, lingering } = world;
  const pick = (from: Ticket[], which: number): Ticket | undefined =>
    from.length === 0 ? undefined : from.splice(which % from.length, 1)[0];
  if (one.kind === 'limit') {
    world.limit = one.limit;
    set.configure(queuing, one.limit, now);
    return begin(world, now);
  }
  if (one.kind === 'start') {
    const made = ticket('flow', one.seats, one.additionalMs);
    const outcome = set.start(made, [one.queue, (one.queue + 3) % 8], now, one.isHeld);
    if (outcome.kind === 'executes') executing.push(made);
    if (outcome.kind === 'waits') waiting.push(made);
    return;
  }
  if (one.kind === 'finish') {
    const done = pick(executing, one.which);
    if (done === undefined) return;
    if (set.finish(done, now) > 0) lingering.push(done);
    return begin(world, now);
  }
  if (one.kind === 'release') {
    const done = pick(lingering, one.which);
    if (done === undefined) return;
    set.release(done, now);
    return begin(world, now);
  }
  const gone = pick(waiting, one.which);
  if (gone !== undefined) set.cancel(gone, now);
}

function check({ set, waiting, executing, lingering }: World): void {
  assert.equal(set.waiting, waiting.length);
  assert.equal(set.executing, executing.length);
  const used = [...executing, ...lingering].reduce((sum, { work }) => sum + seatsOf(work), 0);
  assert.equal(set.seatsInUse, used);
  assert.equal(
    set.queues.reduce((sum, queue) => sum + queue.waiting.length, 0),
    waiting.length,
  );
  assert.equal(set.isIdle, waiting.length + executing.length === 0);
}

test('no request is lost or run twice, and every count is right', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(step, fc.nat(20)), { maxLength: 200 }), (steps) => {
      let now = 0;
      const set = new QueueSet(queuing, 4, now);
      const world: World = { set, limit: 4, waiting: [], executing: [], lingering: [] };
      for (const [one, elapsed] of steps) {
        now += elapsed;
        perform(world, one, now);
        check(world);
      }
      // Everything that waits has its turn in the end.
      begin(world, now);
      while (world.executing.length + world.lingering.length > 0) {
        now += 1;
        perform(world, { kind: 'finish', which: 0 }, now);
        perform(world, { kind: 'release', which: 0 }, now);
        check(world);
      }
      assert.equal(world.waiting.length, 0);
    }),
    { numRuns: 300 },
  );
});

test('more seats than there are in use only for one request that is wider than all', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 40 }), (widths) => {
      const set = new QueueSet(queuing, 4, 0);
      for (const [i, width] of widths.entries()) {
        set.start(ticket('flow', width), [i % 8, (i + 1) % 8], i);
        assert.ok(set.seatsInUse <= 4 || set.executing === 1);
      }
    }),
  );
});

test('a flow that asks for ten times as much gets as much as others', () => {
  const set = new QueueSet({ queues: 8, handSize: 1, queueLengthLimit: 50 }, 2, 0);
  const served: Record<string, number> = { greedy: 0, modest: 0 };
  let executing: Ticket[] = [];
  const take = (flow: string, hand: number): void => {
    const made = ticket(flow);
    if (set.start(made, [hand], now).kind === 'executes') executing.push(made);
  };
  let now = 0;
  for (let turn = 0; turn < 400; turn++) {
    for (let i = 0; i < 10; i++) take('greedy', 1);
    take('modest', 2);
    now += 5;
    const done = executing;
    executing = [];
    for (const one of done) {
      served[one.flow] = (served[one.flow] ?? 0) + 1;
      set.finish(one, now);
      const next = set.next(now);
      if (next !== undefined) executing.push(next);
    }
  }
  const { greedy = 0, modest = 0 } = served;
  assert.ok(modest >= 390, `modest: ${modest} of 400`);
  assert.ok(greedy >= 390 && greedy <= 420, `greedy: ${greedy}`);
  assert.ok(set.rejected > 3_000, `rejected: ${set.rejected}`);
});

test('without queues what has no seat is refused; without a limit nothing is', () => {
  const none = new QueueSet({ queues: 0, handSize: 0, queueLengthLimit: 0 }, 1, 0);
  assert.equal(none.start(ticket('a'), [], 0).kind, 'executes');
  assert.deepEqual(none.start(ticket('a'), [], 0), {
    kind: 'refused',
    reason: 'concurrency-limit',
  });
  const exempt = new QueueSet({ queues: -1, handSize: 0, queueLengthLimit: 0 }, 0, 0);
  for (let i = 0; i < 10; i++) assert.equal(exempt.start(ticket('a'), [], 0).kind, 'executes');
});

test('those who are held do not take the places in a queue while there are seats for them', () => {
  const set = new QueueSet(queuing, 2, 0);
  const start = (isHeld: boolean): string => set.start(ticket('flow'), [0, 0], 0, isHeld).kind;
  const all = Array.from({ length: 7 }, () => start(true));
  assert.deepEqual(all, [...Array.from({ length: 6 }, () => 'waits'), 'refused']);
  assert.ok(set.next(0) !== undefined && set.next(0) !== undefined);
  assert.equal(set.next(0), undefined);
  assert.deepEqual([start(true), start(false)], ['refused', 'refused']);
});
