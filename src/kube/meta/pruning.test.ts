// Decoding by schema: what is dropped, what is refused and in which words.
// Tables for pruning.ts: what is accepted, what is refused, and in which words.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { typeSchema } from '#kube/types/registry.ts';
import { decodeStrict, duplicateKeys } from './pruning.ts';

const pod = typeSchema('io.k8s.api.core.v1.Pod');

test('decodeStrict() drops and names fields that are not known, in lists too', () => {
  const { value, unknown, errors } = decodeStrict(pod, {
    spec: { foo: 1, containers: [{ name: 'a', bar: 2 }] },
  });
  const containers = [{ name: 'a', resources: {} }];
  assert.deepEqual(value, { metadata: {}, spec: { containers }, status: {} });
  assert.deepEqual(unknown, ['spec.foo', 'spec.containers[0].bar']);
  assert.deepEqual(errors, []);
});

test('decodeStrict() takes null for absence, and writes what Go always writes', () => {
  assert.deepEqual(decodeStrict(pod, { spec: null, metadata: { labels: { a: null } } }).value, {
    // In a map it is the zero value.
    metadata: { labels: { a: '' } },
    spec: { containers: null },
    status: {},
  });
});

test('decodeStrict() drops zero values that Go would not write, and keeps those of pointers', () => {
  const spec = { hostNetwork: false, priority: 0, nodeName: '', containers: [], tolerations: [] };
  const { value } = decodeStrict(pod, { spec });
  assert.deepEqual(value, { metadata: {}, spec: { priority: 0, containers: [] }, status: {} });
});

const wrong: readonly (readonly [unknown, string])[] = [
  [
    { spec: { containers: 'x' } },
    'json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type []v1.Container',
  ],
  [
    { spec: { terminationGracePeriodSeconds: 1.5 } },
    'json: cannot unmarshal number 1.5 into Go struct field PodSpec.spec.terminationGracePeriodSeconds of type int64',
  ],
  [
    { metadata: { labels: { a: true } } },
    'json: cannot unmarshal bool into Go struct field ObjectMeta.metadata.labels of type string',
  ],
];

for (const [value, message] of wrong) {
  test(`decodeStrict() refuses ${JSON.stringify(value)}`, () => {
    assert.deepEqual(decodeStrict(pod, value).errors, [message]);
  });
}

test('decodeStrict() without type checks keeps what it cannot judge', () => {
  const value = { spec: { hostNetwork: 'yes', nope: 1 } };
  const decoded = decodeStrict(pod, value, false);
  assert.deepEqual(decoded.value, { spec: { hostNetwork: 'yes' } });
  assert.deepEqual([decoded.errors, decoded.unknown], [[], ['spec.nope']]);
});

test('decodeStrict() never throws, and what it keeps it keeps again', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
      const first = decodeStrict(pod, { metadata: a, spec: { containers: b } });
      if (first.errors.length > 0) return;
      const again = decodeStrict(pod, first.value);
      assert.deepEqual(again.value, first.value);
      assert.deepEqual(again.unknown, []);
    }),
  );
});

test('duplicateKeys() finds each key that stands twice, with its path', () => {
  const text = '{"a":1,"b":[{"c":1,"c":2}],"a":{"d":"a\\"b","d":0}}';
  assert.deepEqual(duplicateKeys(text, JSON.parse(text)), ['b[0].c', 'a', 'a.d']);
});

test('duplicateKeys() finds none in what JSON.stringify writes', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify(value, null, 1);
      return duplicateKeys(text, value).length === 0;
    }),
  );
});

test('duplicateKeys() finds a key for each time that it stands there again', () => {
  // None ends with a backslash: after an object with the key `\\`, JSON.parse of V8 14 (Node 26.10) takes the key `"` of one
  // that begins alike for `\\`, too, as both are written with a backslash and a quote.
  const key = fc.constantFrom('a', 'b', '"', '\\a', ':', '__proto__', 'toString', 'a b');
  const entry = fc.tuple(key, fc.jsonValue());
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 6 }), (entries) => {
      const fields = entries.map(
        ([name, value]) => `${JSON.stringify(name)} : ${JSON.stringify(value)}`,
      );
      const text = `{${fields.join(' , ')}}`;
      const again = entries.filter(([name], at) =>
        entries.some((one, i) => i < at && one[0] === name),
      );
      const names = duplicateKeys(text, JSON.parse(text));
      assert.deepEqual(
        names,
        again.map(([name]) => name),
      );
    }),
  );
});
