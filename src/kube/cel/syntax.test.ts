// Mistakes of the grammar are told as ANTLR tells them, all of them, and read on after; what is read quickly is what
// the state machine would read.
import assert from 'node:assert/strict';
import test from 'node:test';
import { grammar, grammarMachine } from './grammar.ts';
import { readSyntax } from './syntax.ts';

const OPERANDS =
  "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}";

/** What cel-go v0.29 tells, with the place of each. */
const mistakes: readonly (readonly [source: string, ...faults: string[]])[] = [
  ['self.a === 1', "9 token recognition error at: '= '"],
  ['self..a', "5 no viable alternative at input '..'"],
  ['a b', "2 extraneous input 'b' expecting <EOF>"],
  ['-1)', "2 extraneous input ')' expecting <EOF>"],
  ['(a', "2 missing ')' at '<EOF>'"],
  ['a[1', "3 missing ']' at '<EOF>'"],
  ['-', "1 no viable alternative at input '-'", `1 mismatched input '<EOF>' expecting ${OPERANDS}`],
  ['"a', `0 token recognition error at: '"a'`, `2 mismatched input '<EOF>' expecting ${OPERANDS}`],
  ['.true', "1 mismatched input 'true' expecting IDENTIFIER"],
];

test('every mistake is told, in the words of the grammar', () => {
  for (const [source, ...faults] of mistakes) {
    const found = readSyntax(source).faults.map(
      ({ at, message }) => `${at} ${message.replace('Syntax error: ', '')}`,
    );
    assert.deepEqual(found.toSorted(), faults.toSorted(), source);
  }
});

test('every rule of the grammar has its states', () => {
  assert.deepEqual([...grammarMachine().rules.keys()], Object.keys(grammar));
});

test('what is nested too deeply is refused, whatever the stack', () => {
  const nested = (depth: number): string => `${'('.repeat(depth)}1${')'.repeat(depth)}`;
  assert.deepEqual(readSyntax(nested(100)).faults, []);
  for (const source of [nested(400), '['.repeat(40_000), '{'.repeat(40_000)]) {
    const messages = readSyntax(source).faults.map(({ message }) => message);
    assert.ok(messages.includes('expression recursion limit exceeded: 250'));
  }
});
