// The linear matcher against JavaScript's own, on patterns that both have; and its time.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LinearRegex } from './linear-regex.ts';

const atom = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '\\d', '\\w', '(?:ab|b)', '(a)');
const piece = fc
  .tuple(atom, fc.constantFrom('', '*', '+', '?', '{2}', '{1,}', '{0,2}'))
  .map(([one, times]) => one + times);
const pattern = fc
  .array(
    fc.array(piece, { maxLength: 4 }).map((all) => all.join('')),
    { minLength: 1, maxLength: 3 },
  )
  .map((all) => all.join('|'));
const text = fc
  .array(fc.constantFrom('a', 'b', '1', '\n'), { maxLength: 8 })
  .map((it) => it.join(''));

test('LinearRegex matches what RegExp matches as a whole', () => {
  fc.assert(
    fc.property(pattern, text, (source, subject) => {
      const regex = LinearRegex.compile(source);
      assert.ok(typeof regex !== 'string', String(regex));
      assert.equal(regex.matches(subject), new RegExp(`^(?:${source})$`).test(subject));
    }),
    { numRuns: 3_000 },
  );
});

for (const source of [
  '(a',
  'a)',
  '[a',
  '*a',
  'a**',
  '\\1',
  '(?=a)',
  'a{2000}',
  '\\',
  'a{90}a{90}',
]) {
  test(`LinearRegex refuses ${source}`, () => {
    assert.equal(typeof LinearRegex.compile(source), 'string');
  });
}

test('a pattern that would take RegExp for ever costs no more than another', () => {
  const regex = LinearRegex.compile('(a+)+b');
  assert.ok(typeof regex !== 'string');
  assert.equal(regex.matches('a'.repeat(20_000)), false);
});
