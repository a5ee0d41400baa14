// Quantities: spellings as upstream writes them, and arithmetic against a naive twin.
// Tables for quantity.ts: what is accepted, what is refused, and in which words.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import {
  canonicalQuantity,
  compareQuantities,
  formatQuantity,
  isWholeQuantity,
  parseQuantity,
  roundedUpToMilli,
} from './quantity.ts';

const spellings: readonly (readonly [string, string | undefined])[] = [
  ['0', '0'],
  ['0Ki', '0'],
  ['1', '1'],
  ['1.0', '1'],
  ['0.5', '500m'],
  ['.5', '500m'],
  ['5.', '5.'],
  ['1000m', '1'],
  ['1500m', '1500m'],
  ['1000', '1k'],
  ['1100', '1100'],
  ['1024Mi', '1Gi'],
  ['1.5Gi', '1536Mi'],
  ['0.5Ki', '512'],
  ['0.1Mi', '104857600m'],
  ['2.Mi', '2.Mi'],
  ['5969911000E', '5969911'],
  ['1e3', '1e3'],
  ['1500e-3', '1500e-3'],
  ['12E', '12E'],
  ['-1', '-1'],
  ['+2', '+2'],
  ['0.0000000001', '1n'],
  ['1Kib', undefined],
  ['one', undefined],
  ['', undefined],
  ['1 ', undefined],
  ['1.2.3', undefined],
  ['Ki', undefined],
];

for (const [text, wanted] of spellings) {
  test(`canonicalQuantity(${JSON.stringify(text)}) is ${wanted ?? 'nothing'}`, () => {
    assert.equal(canonicalQuantity(text), wanted);
  });
}

test('roundedUpToMilli() rounds away from zero', () => {
  assert.equal(roundedUpToMilli('0.0005'), '1m');
  assert.equal(roundedUpToMilli('1001u'), '2m');
  assert.equal(roundedUpToMilli('100m'), '100m');
});

test('isWholeQuantity() tells parts', () => {
  assert.equal(isWholeQuantity('1500m'), false);
  assert.equal(isWholeQuantity('2k'), true);
});

const suffixes: Readonly<Record<string, number>> = {
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  Ki: 1024,
  Mi: 1024 ** 2,
  Gi: 1024 ** 3,
};
const written = fc.record({
  amount: fc.integer({ min: -1_000_000, max: 1_000_000 }),
  suffix: fc.constantFrom(...Object.keys(suffixes)),
});

test('a quantity is worth what floating point says, within its precision', () => {
  fc.assert(
    fc.property(written, ({ amount, suffix }) => {
      const parsed = parseQuantity(`${amount}${suffix}`);
      const naive = amount * (suffixes[suffix] ?? Number.NaN);
      const value = Number(parsed?.nano ?? 0n) / 1e9;
      return Math.abs(value - naive) <= Math.abs(naive) * 1e-12;
    }),
  );
});

test('writing and reading again changes nothing', () => {
  fc.assert(
    fc.property(written, ({ amount, suffix }) => {
      const parsed = parseQuantity(`${amount}${suffix}`);
      assert.ok(parsed);
      const again = formatQuantity(parsed);
      assert.equal(parseQuantity(again)?.nano, parsed.nano);
      assert.equal(canonicalQuantity(again), again);
    }),
  );
});

test('compareQuantities() orders as numbers do', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer(), (a, b) => {
      assert.equal(Math.sign(compareQuantities(`${a}m`, `${b}m`)), Math.sign(a - b));
    }),
  );
});
