// The checker finds what it is there for: each kind of wrong, put into a history that is right.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { MemoryStore } from '#store/memory-store.ts';
import type { Txn } from '#store/store.ts';
import { changeOf, problemsOf, type Change, type History, type OpRecord } from './checker.ts';
import { everything, Recorder } from './workload.ts';

const put = (key: string, value: string, mod?: number): Txn => ({
  compare: mod === undefined ? [] : [{ key, target: 'mod', equals: mod }],
  then: [{ kind: 'put', key, value: Buffer.from(value) }],
});

const made = (at: number, txn: Txn, revision: number): OpRecord => ({
  kind: 'txn',
  client: 'a',
  invokedAt: at,
  returnedAt: at + 1,
  txn,
  result: { ok: true, revision },
});

const change = (revision: number, key: string, value?: string): Change => ({
  revision,
  values: new Map([[key, value]]),
});

const read = (at: number, revision: number, value: string, mod: number): OpRecord => ({
  kind: 'range',
  client: 'b',
  invokedAt: at,
  returnedAt: at + 1,
  start: '/',
  end: '0',
  isStaleOk: false,
  items: [{ key: '/k', value, createRevision: 2, modRevision: mod, version: mod - 1 }],
  revision,
});

const right: History = {
  ops: [
    made(1, put('/k', 'one', 0), 2),
    made(3, put('/k', 'two', 2), 3),
    { ...made(5, put('/k', 'lost'), 4), result: undefined } as OpRecord,
    read(7, 4, 'lost', 4),
  ],
  watches: [
    {
      name: 'w',
      start: '/',
      end: '0',
      from: 2,
      changes: [change(2, '/k', 'one'), change(3, '/k', 'two'), change(4, '/k', 'lost')],
    },
  ],
  log: [change(2, '/k', 'one'), change(3, '/k', 'two'), change(4, '/k', 'lost')],
};

test('a right history has no problem, an unknown outcome included', () => {
  assert.deepEqual(problemsOf(right), []);
});

const remove = (key: string, mod?: number): Txn => ({
  compare: mod === undefined ? [] : [{ key, target: 'mod', equals: mod }],
  then: [{ kind: 'delete', key }],
});

const twice = (second: Txn): History => ({
  ops: [
    made(1, put('/k', 'one', 0), 2),
    made(3, remove('/k', 2), 3),
    made(5, second, 3),
    made(7, put('/l', 'two'), 4),
  ],
  watches: [],
  log: [change(2, '/k', 'one'), change(3, '/k'), change(4, '/l', 'two')],
});

test('a deletion that finds nothing is told the revision of the one before it', () => {
  // As etcd 3.4.23 and 3.7.0 do: the header has the revision of the store.
  for (const second of [remove('/k', 0), remove('/k'), remove('/none')]) {
    const history = twice(second);
    assert.deepEqual(problemsOf(history), []);
    // Whoever of the two is noted first.
    assert.deepEqual(problemsOf({ ...history, ops: history.ops.toReversed() }), []);
  }
});

test('a revision that the store took for itself is no gap', () => {
  const log = [change(2, '/k', 'one'), change(4, '/k', 'two'), change(7, '/k')];
  const ops = [
    made(1, put('/k', 'one', 0), 2),
    made(3, put('/k', 'two', 2), 4),
    read(5, 5, 'two', 4),
    made(7, remove('/k', 4), 7),
  ].map((op) =>
    op.kind === 'range' ? { ...op, items: op.items.map((kv) => ({ ...kv, version: 2 })) } : op,
  );
  const history: History = { ops, watches: [], log, own: new Set([3, 5, 6, 8]) };
  assert.deepEqual(problemsOf(history), []);
  assert.match(problemsOf({ ...history, own: new Set([3, 5]) }).join(), /from revision 4 to 7/);
});

const wrongs: readonly (readonly [string, History, RegExp])[] = [
  [
    'an acknowledged write that is lost',
    { ...right, ops: [...right.ops, made(9, put('/k', 'gone'), 5)] },
    /acknowledged at 5, and lost/,
  ],
  [
    'a read of what was before',
    { ...right, ops: [...right.ops, read(9, 3, 'two', 3)] },
    /asked for after 4 had been told/,
  ],
  [
    'a read that is not the state of its revision',
    { ...right, ops: [...right.ops, read(9, 4, 'two', 3)] },
    /is not the state of that revision/,
  ],
  [
    'a transaction whose comparison did not hold',
    {
      ...right,
      ops: [
        made(1, put('/k', 'one', 0), 2),
        made(3, put('/k', 'two', 0), 3),
        made(5, put('/k', 'lost'), 4),
      ],
    },
    /though its comparison did not hold/,
  ],
  [
    'a deletion that is told twice, of what the second did not find',
    twice(remove('/k', 2)),
    /acknowledged at 3, and lost/,
  ],
  [
    'a write that is told the revision of another',
    twice(put('/k', 'new')),
    /acknowledged at 3, and lost/,
  ],
  [
    'a revision that is told and never was',
    { ...right, ops: [...right.ops, read(9, 6, 'lost', 4)] },
    /told revision 6, the newest is 4/,
  ],
  [
    'an unknown outcome that was made before it was asked for',
    {
      ...right,
      ops: [
        right.ops[0] as OpRecord,
        right.ops[1] as OpRecord,
        read(5, 4, 'lost', 4),
        { ...made(7, put('/k', 'lost'), 4), result: undefined } as OpRecord,
      ],
    },
    /nobody asked for what happened at 4/,
  ],
  [
    'what nobody asked for',
    { ...right, ops: right.ops.slice(1) },
    /nobody asked for what happened at 2/,
  ],
  [
    'a watch that leaves something out',
    {
      ...right,
      watches: right.watches.map((one) => ({
        ...one,
        changes: one.changes.filter((_, i) => i !== 1),
      })),
    },
    /w: revision 3 is missing/,
  ],
  [
    'a watch that tells something twice',
    {
      ...right,
      watches: right.watches.map((one) => ({
        ...one,
        changes: [...one.changes, change(4, '/k', 'lost')],
      })),
    },
    /w: /,
  ],
];

for (const [what, history, words] of wrongs) {
  test(`${what} is found`, () => {
    const problems = problemsOf(history);
    assert.ok(
      problems.some((one) => words.test(one)),
      JSON.stringify(problems),
    );
  });
}

const KEYS = ['/a', '/b'];
const drawn = fc.record({
  kind: fc.constantFrom('put', 'delete', 'put both', 'read', 'mark'),
  key: fc.constantFrom(...KEYS),
  compare: fc.constantFrom('none', 'as it is', 'absent'),
  isUnknown: fc.boolean(),
});
type Drawn = typeof drawn extends fc.Arbitrary<infer T> ? T : never;

/** What a store that does one thing after the other tells; some answers do not arrive. */
async function play(steps: readonly Drawn[]): Promise<History> {
  await using store = new MemoryStore();
  const recorder = new Recorder();
  const log: Change[] = [];
  const own = new Set<number>();
  const onEvents: Parameters<typeof store.watch>[1]['onEvents'] = (events, revision) => {
    const change = changeOf(events, revision);
    if (change.values.has('/mark')) own.add(revision);
    else log.push(change);
  };
  store.watch({ ...everything, startRevision: 2 }, { onEvents, onEnd: () => {} });
  for (const { kind, key, compare, isUnknown } of steps) {
    const write = (at: string) =>
      ({ kind: 'put', key: at, value: Buffer.from(recorder.value('c')) }) as const;
    if (kind === 'read') {
      // The mark is not for readers.
      await recorder.range(store, 'c', { start: '/a', end: '/c', isStaleOk: false });
      continue;
    }
    if (kind === 'mark') {
      await store.txn({ compare: [], then: [write('/mark')] });
      continue;
    }
    const equals = compare === 'absent' ? 0 : ((await store.get(key))?.modRevision ?? 0);
    const then =
      kind === 'delete' ? [{ kind, key }] : kind === 'put' ? [write(key)] : KEYS.map(write);
    await recorder.txn(store, 'c', {
      compare: compare === 'none' ? [] : [{ key, target: 'mod', equals }],
      then,
    });
    const last = recorder.ops.pop();
    if (last?.kind === 'txn') recorder.ops.push(isUnknown ? { ...last, result: undefined } : last);
  }
  const watches = [{ name: 'w', start: '/a', end: '/c', from: 2, changes: log }];
  return { ops: recorder.ops, watches, log, own };
}

test('whatever a right store does, there is no problem; one change that is left out is one', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(drawn, { maxLength: 30 }), fc.nat(), async (steps, place) => {
      const history = await play(steps);
      assert.deepEqual(problemsOf(history), []);
      if (history.log.length < 2) return;
      const at = place % history.log.length;
      const log = history.log.filter((_, i) => i !== at);
      assert.notDeepEqual(problemsOf({ ...history, log }), []);
    }),
    { numRuns: 500 },
  );
});
