// Equality of JSON values: beside the texts of their canonical forms, over random pairs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonical, same } from './same.ts';

test('same: order of keys and keys without a value do not matter, anything else does', () => {
  const table: [unknown, unknown, boolean][] = [
    [{ a: 1, b: [1, { c: 'x' }] }, { b: [1, { c: 'x' }], a: 1 }, true],
    [{ a: 1, b: undefined }, { a: 1 }, true],
    [{ a: 1 }, { a: 1, b: undefined }, true],
    [{ a: 1 }, { a: 1, b: null }, false],
    [{ a: undefined }, { b: undefined }, true],
    [{ a: 1 }, { b: 1 }, false],
    [[1, 2], [2, 1], false],
    [[1], [1, 2], false],
    [[], {}, false],
    [{}, null, false],
    ['1', 1, false],
    [0, false, false],
    [undefined, undefined, true],
    [Number.NaN, Number.NaN, true],
    [{ toString: 1 }, {}, false],
  ];
  for (const [a, b, expected] of table) {
    assert.equal(same(a, b), expected, JSON.stringify([a, b]));
    assert.equal(same(b, a), expected, JSON.stringify([b, a]));
  }
});

test('same: agrees with the canonical text', () => {
  let state = 7;
  const next = (below: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * below);
  };
  const value = (depth: number): unknown => {
    const kind = next(depth > 0 ? 5 : 3);
    if (kind < 3) return [next(2), 'x', null][kind];
    const length = next(3);
    if (kind === 3) return Array.from({ length }, () => value(depth - 1));
    return Object.fromEntries(
      Array.from({ length }, () => [`k${next(3)}`, next(4) === 0 ? undefined : value(depth - 1)]),
    );
  };
  const text = (one: unknown): string => JSON.stringify(canonical(one));
  let equal = 0;
  for (let round = 0; round < 20_000; round++) {
    const [a, b] = [value(3), value(3)];
    const isSame = text(a) === text(b);
    if (isSame) equal += 1;
    assert.equal(same(a, b), isSame, `${text(a)} ${text(b)}`);
  }
  assert.ok(equal > 100 && equal < 19_900, String(equal));
});
