// Protobuf out of stored JSON: the bytes of a real kube-apiserver (tools/record-kube-protobuf.ts), and those of the
// codec of objects for whatever else may be stored, whatever was read before it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeObject, transcodeObject } from './protobuf.ts';

type Json = Record<string, unknown>;
type Stored = Json & { apiVersion: string; kind: string; metadata: Json };

const vectors = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../../test/vectors/kube-protobuf.json'), 'utf8'),
) as { json: Stored; protobuf: string }[];

function stored({ metadata, ...rest }: Stored): Buffer {
  const { resourceVersion: _version, ...meta } = metadata;
  return Buffer.from(JSON.stringify({ metadata: meta, ...rest }));
}

const hex = (bytes: Uint8Array | undefined): string | undefined =>
  bytes === undefined ? undefined : Buffer.from(bytes).toString('hex');

function transcoded(object: Stored, json = stored(object)): string | undefined {
  return hex(transcodeObject(object, json, String(object.metadata['resourceVersion'] ?? '')));
}

test('what is stored becomes the bytes of kube-apiserver, the first time and later', async (t) => {
  for (const round of [1, 2, 3]) {
    for (const { json, protobuf } of vectors) {
      await t.test(`${json.kind} ${String(json.metadata['name'])}, round ${round}`, () => {
        const expected = hex(encodeObject(json)) as string;
        // Behind its envelope, whose encoding and type are empty.
        assert.ok(hex(Buffer.from(protobuf, 'base64'))?.endsWith(`${expected}1a002200`));
        assert.equal(transcoded(json), expected);
      });
    }
  }
});

const texts = fc.oneof(
  fc.string(),
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom('"', '\\', '\\"', '}', '{"a":"', '\n', '\u0000', '\ud800', 'ü', '10', '64Mi'),
  fc.string({ minLength: 120, maxLength: 20_000 }),
);
const numbers = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.constantFrom(-1, 0, 127, 128, 2 ** 31, 2 ** 53 - 1),
);

interface Change {
  readonly at: number;
  readonly text: string;
  readonly number: number;
  readonly how: 'change' | 'remove' | 'null' | 'reverse' | 'repeat';
}

const changes: fc.Arbitrary<Change> = fc.record({
  at: fc.nat(),
  text: texts,
  number: numbers,
  how: fc.constantFrom('change', 'remove', 'null', 'reverse', 'repeat'),
});

/** Every container of the object, outermost first. */
function containers(value: unknown): (Json | unknown[])[] {
  if (typeof value !== 'object' || value === null) return [];
  return [value as Json, ...Object.values(value).flatMap(containers)];
}

function apply(object: Stored, { at, text, number, how }: Change): void {
  const all = containers({ spec: object['spec'], data: object['data'], labels: object.metadata });
  const container = all[1 + (at % Math.max(1, all.length - 1))];
  if (container === undefined) return;
  if (Array.isArray(container)) {
    if (how === 'remove') container.pop();
    else if (how === 'repeat') container.push(...structuredClone(container));
    else container.reverse();
    return;
  }
  const names = Object.keys(container);
  const name = names[at % Math.max(1, names.length)];
  if (name === undefined || name === 'resourceVersion') return;
  const value = container[name];
  if (how === 'remove') Reflect.deleteProperty(container, name);
  else if (how === 'null') container[name] = null;
  else if (how === 'reverse') {
    const entries = Object.entries(container).toReversed();
    for (const one of names) Reflect.deleteProperty(container, one);
    Object.assign(container, Object.fromEntries(entries));
  } else if (typeof value === 'string') container[name] = text;
  else if (typeof value === 'number') container[name] = number;
}

test('what is changed somewhere has the bytes of the codec of objects, or is left to it', () => {
  let transcodedCount = 0;
  fc.assert(
    fc.property(
      fc.constantFrom(...vectors),
      fc.array(changes, { minLength: 1, maxLength: 4 }),
      ({ json: before }, made) => {
        const object = structuredClone(before);
        for (const change of made) apply(object, change);
        const json = stored(object);
        const found = transcoded(object, json);
        if (found === undefined) return;
        transcodedCount += 1;
        // As it is read from what is stored: a lone surrogate is not the same there.
        const version = object.metadata['resourceVersion'];
        const read = JSON.parse(json.toString()) as Stored;
        const metadata = { ...read.metadata, resourceVersion: version };
        assert.equal(found, hex(encodeObject({ ...read, metadata })));
        // What is next to it in a list is not read as if it were the same.
        assert.equal(transcoded(before), hex(encodeObject(before)));
      },
    ),
    { numRuns: 3_000 },
  );
  assert.ok(transcodedCount > 1_000, `only ${transcodedCount} of them were not left to the codec`);
});

test('JSON that somebody else has written is left to the codec, or has its bytes', () => {
  const { json } = vectors.find((one) => one.json.kind === 'Pod') as { json: Stored };
  const expected = hex(encodeObject(json));
  const text = stored(json).toString();
  assert.equal(transcoded(json, Buffer.from(text)), expected);
  const others = [
    JSON.stringify(JSON.parse(text), undefined, 1),
    text.replace('"spec"', '"s\\u0070ec"'),
    text.replace('"spec":', '"spec": '),
    `${text}\n`,
    ` ${text}`,
    text.slice(0, -1),
    text.slice(0, text.length / 2),
    '{}'.repeat(2),
    '',
    '[]',
  ];
  for (const other of others) assert.equal(transcoded(json, Buffer.from(other)), undefined, other);
});

test('a value is known by all of its text', () => {
  const secret = (name: string): Stored => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'a', resourceVersion: '1', labels: { a: name, b: 'c' } },
    spec: { containers: [{ name, image: 'b' }], tolerations: [{ key: name }, { key: `${name}2` }] },
  });
  for (const name of ['a', 'ab', 'a"', 'a', 'a"},{"name":"a', 'a\\', 'ab', 'a'])
    assert.equal(transcoded(secret(name)), hex(encodeObject(secret(name))), name);
});
