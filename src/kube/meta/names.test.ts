// Names, labels and generated names.
// Tables for names.ts: what is accepted, what is refused, and in which words.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { generateName, nameProblem, qualifiedNameProblem, validateLabels } from './names.ts';

const good: readonly (readonly [Parameters<typeof nameProblem>[0], string])[] = [
  ['label', 'a-1'],
  ['label', '1a'],
  ['label1035', 'a1'],
  ['subdomain', 'a.b-c.1'],
  ['path-segment', 'system:Any thing'],
];
const bad: readonly (readonly [Parameters<typeof nameProblem>[0], string])[] = [
  ['label', 'a.b'],
  ['label', 'A'],
  ['label', 'a'.repeat(64)],
  ['label1035', '1a'],
  ['label-without-dots', 'a.b'],
  ['subdomain', '-a'],
  ['subdomain', 'a..b'],
  ['subdomain', 'a'.repeat(254)],
  ['path-segment', 'a/b'],
  ['path-segment', '..'],
];

for (const [rule, name] of good) {
  test(`nameProblem(${rule}, ${name}) is none`, () =>
    assert.equal(nameProblem(rule, name), undefined));
}
for (const [rule, name] of bad) {
  test(`nameProblem(${rule}, ${name.slice(0, 20)}) is one`, () =>
    assert.notEqual(nameProblem(rule, name), undefined));
}

test('qualifiedNameProblem() wants a name, and a domain before a slash', () => {
  for (const name of ['a', 'A_b.c', 'example.com/A']) {
    assert.equal(qualifiedNameProblem(name), undefined, name);
  }
  for (const name of ['', '/a', 'a/', 'a/b/c', '-a', 'A_B/c', 'a'.repeat(64)]) {
    assert.notEqual(qualifiedNameProblem(name), undefined, name);
  }
});

test('validateLabels() judges keys and values apart', () => {
  const fields = validateLabels({ 'a b': 'ok', ok: 'a b' }, 'metadata.labels');
  assert.equal(fields.length, 2);
  assert.deepEqual(validateLabels({ ok: '', 'x.io/y': 'Z_1' }, 'metadata.labels'), []);
});

test('generated names are names, and short enough', () => {
  fc.assert(
    fc.property(
      fc.stringMatching(/^[a-z][a-z0-9-]{0,80}$/),
      fc.double({ min: 0, max: 0.999 }),
      (base, at) => {
        const name = generateName(base, () => at);
        assert.ok(name.length <= 63);
        assert.equal(nameProblem('label', name), undefined, name);
      },
    ),
  );
});
