// YAML bodies of requests whose keys stand twice, for those who change how they are read.
import assert from 'node:assert/strict';
import test from 'node:test';
import { parseYamlBody } from './yaml-body.ts';

test('the last of two equal keys counts, and the line of the second is told', () => {
  const { value, problem } = parseYamlBody('a: 1\nb:\n  c: 2\n  c: 3\nd: 4\n');
  assert.deepEqual(value, { a: 1, b: { c: 3 }, d: 4 });
  assert.equal(problem, 'yaml: unmarshal errors:\n  line 4: key "c" already set in map');
});

test('a body without such keys has no problem; one that is no YAML throws', () => {
  assert.deepEqual(parseYamlBody('a: [1, {b: null}]'), {
    value: { a: [1, { b: null }] },
    problem: undefined,
  });
  assert.throws(() => parseYamlBody('a: [1'));
});

for (const [text, why] of [
  ['a: {~: x}', 'unsupported map key of type: %!s(<nil>), key: <nil>, value: "x"'],
  ['a: {[b]: x}', 'yaml: invalid map key: []interface {}{"b"}'],
  ['a: [.inf]', 'json: unsupported value: +Inf'],
  ['a: -.inf', 'json: unsupported value: -Inf'],
] as const) {
  test(`${text} cannot be read`, () => {
    assert.throws(() => parseYamlBody(text), { message: why });
  });
}

test('an infinite key is a text', () => {
  assert.deepEqual(parseYamlBody('.inf: x').value, { '.inf': 'x' });
});
