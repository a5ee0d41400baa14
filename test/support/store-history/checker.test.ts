// The checker finds what it is there for: each kind of wrong, put into a history that is right.
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Txn } from '#store/store.ts';
import { problemsOf, type Change, type History, type OpRecord } from './checker.ts';

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
