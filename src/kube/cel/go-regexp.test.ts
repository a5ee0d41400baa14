// Patterns of Go's RE2 that this platform writes otherwise match what they match there.
import assert from 'node:assert/strict';
import test from 'node:test';
import { goRegExp } from './go-regexp.ts';

const cases: readonly (readonly [pattern: string, matching: string[], others: string[]])[] = [
  ['(?i)abc', ['ABC', 'abc'], ['ab']],
  // Of prometheus-operator's definitions.
  ['^(?i)(abort|warn)?$', ['Abort', 'WARN', ''], ['aborted']],
  [
    '^((?i)january|may|[1-9])(?:((:((?i)january|may|[1-9]))$)|$)',
    ['MAY', 'May:january', '3'],
    ['june'],
  ],
  ['^a(?i)b|c$', ['aB', 'xC'], ['AB', 'xb']],
  ['^(a(?i)b|c)d$', ['aBd', 'Cd'], ['ABd', 'cD']],
  ['^(?i:a)b$', ['Ab', 'ab'], ['aB']],
  ['^(?i)a(?-i)b$', ['Ab', 'ab'], ['aB']],
  ['^(?i)[(|)?]\\(a$', ['|(A', '?(a'], ['x(a']],
  ['^(?s).(?U)a+$', ['\naa'], ['aab']],
  ['^(?P<x>a)(?i)[]b]$', ['a]', 'aB'], ['Ab']],
  ['^[[:alpha:]](?i)z$', ['aZ'], ['1z']],
];

for (const [pattern, matching, others] of cases) {
  test(`goRegExp() of ${pattern}`, () => {
    for (const text of matching) assert.ok(goRegExp(pattern).test(text), JSON.stringify(text));
    for (const text of others) assert.ok(!goRegExp(pattern).test(text), JSON.stringify(text));
  });
}

test('goRegExp() refuses what Go refuses', () => {
  for (const pattern of ['(?i', '(?x)a', '((?i)a', 'a)(?i)', '(?=a)', '\\1']) {
    assert.throws(() => goRegExp(pattern), /error parsing regexp/, pattern);
  }
});
