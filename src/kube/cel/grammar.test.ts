// Expressions are read as cel-go reads them, and numbers are written as Go writes them.
import assert from 'node:assert/strict';
import test from 'node:test';
import { doubleText } from './conversions.ts';
import { baseEnvironment, compile, CompileError } from './program.ts';
import { DYN } from './types.ts';

const valueOf = (source: string): unknown => {
  const env = baseEnvironment().clone();
  env.variable('a', DYN);
  const { value, error } = compile(env, source).run({ a: 1n });
  return error ?? value;
};

const readings: readonly (readonly [source: string, value: unknown])[] = [
  ['2 == 3 < true', true],
  ['1 < 2 == true', true],
  ['1 in [1] == true', true],
  ['true == (1 == 2)', false],
  ['[?optional.none(), 1].size()', 1n],
  ['{?"x": optional.of(1), "y": 2}["x"]', 1n],
  ['{1: "x"}.exists(k, k == 1)', true],
  ['[a, dyn(1)].size()', 2n],
  ['.5 + double(.a)', 1.5],
  ['optional.ofNonZeroValue("").orValue("x")', 'x'],
];

test('relations bind alike, and elements may be optional', () => {
  for (const [source, value] of readings) assert.deepEqual(valueOf(source), value, source);
});

test('what cannot be read is refused', () => {
  for (const source of [
    'f(?1)',
    '9223372036854775808',
    '[1, "x"]',
    '[a, "x"]',
    'Object{a: 1}',
    '[?1]',
  ])
    assert.throws(() => valueOf(source), CompileError, source);
});

test('doubles are written as by Go', () => {
  const texts = [0, -0, 1, 0.1, 1e21, 1e-7, 123456, 1234567, 123456789.5, -2.5e-5, 1e6, 0.0001];
  assert.deepEqual(
    texts.map(doubleText).join(' '),
    '0 -0 1 0.1 1e+21 1e-07 123456 1.234567e+06 1.234567895e+08 -2.5e-05 1e+06 0.0001',
  );
});
