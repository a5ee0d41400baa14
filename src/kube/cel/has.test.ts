// What has() is asked of: fields of names, of elements, of calls, in macros, as cel-go takes them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { baseEnvironment, compile, CompileError } from './program.ts';
import { DYN } from './types.ts';
import { dynValue } from './values.ts';

const env = baseEnvironment().clone();
env.variable('self', DYN);

function answer(source: string, self: unknown): unknown {
  const { value, error } = compile(env, source).run({ self: dynValue(self) }) as {
    value?: unknown;
    error?: Error;
  };
  return error ?? value;
}

test('has() looks at a field of any expression', () => {
  const self = { list: [{ a: { b: 1 } }, {}], map: { key: { c: 2 } } };
  for (const [source, expected] of [
    ['has(self.list)', true],
    ['has(self.list[0].a)', true],
    ['has(self.list[1].a)', false],
    ['has(self.list[0].a.b)', true],
    ["has(self.map['key'].c)", true],
    ["has(self.map['key'].d)", false],
    ['self.list.all(p, has(p.a) || !has([p][0].a))', true],
    ['self.list.map(p, has([p][0].a)) == [true, false]', true],
    ['has(self.list.filter(p, has(p.a))[0].a)', true],
    ['size(self.list) > 0 && has(self.list[0].z)', false],
    ['[self.list].all(x, has(x[0].a))', true],
  ] as const) {
    assert.equal(answer(source, self), expected, source);
  }
});

test('what has no field to look for stays refused, and what is not there stays an error', () => {
  for (const source of ['has(self)', 'has(self.list[0])', 'has(1)', 'has(nothing[0].a)']) {
    assert.throws(() => compile(env, source), CompileError, source);
  }
  assert.ok(answer('has(self.list[3].a)', { list: [] }) instanceof Error);
  assert.ok(answer('has(self.list[0].a.b)', { list: [{}] }) instanceof Error);
});

test('patterns are those of Go', () => {
  assert.equal(answer("'Ab'.matches('^(?i)ab$')", {}), true);
  assert.equal(answer("'Abc'.matches('^(?i)ab$')", {}), false);
  assert.ok(answer("self.list[0].matches('a')", { list: [1n] }) instanceof Error);
});
