// The codec against bytes recorded from a real kube-apiserver (tools/record-kube-protobuf.ts), and
// against input that is cut off or random.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { faultCode } from '#base/fault.ts';
import { INT64_MAX, INT64_MIN, plainest } from '#kube/meta/exact-numbers.ts';
import { decodeEnvelope, encodeEnvelope } from './protobuf.ts';

type Json = Record<string, unknown>;

const vectors = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../../test/vectors/kube-protobuf.json'), 'utf8'),
) as { json: Json & { kind: string; metadata: { name: string } }; protobuf: string }[];

const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex');

test('objects are encoded to the bytes of kube-apiserver', async (t) => {
  for (const { json, protobuf } of vectors) {
    await t.test(`${json.kind} ${json.metadata.name}`, () =>
      assert.equal(hex(encodeEnvelope(json)), hex(Buffer.from(protobuf, 'base64'))),
    );
  }
});

test('values that are lists in JSON are messages, and lists again', () => {
  const object = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    metadata: { name: 'a' },
    spec: { audiences: ['b'], attestations: { groups: ['apps', 'batch'] } },
  };
  const bytes = encodeEnvelope(object);
  assert.ok(bytes !== undefined);
  // A map's entry: its key, and a message of texts.
  assert.match(hex(bytes), /0a0667726f757073120d0a04617070730a056261746368/);
  const { spec } = decodeEnvelope(bytes) as { spec: Json };
  assert.deepEqual(spec['attestations'], object.spec.attestations);
});

test('what was decoded is encoded to the same bytes again', () => {
  for (const { protobuf } of vectors) {
    const bytes = Buffer.from(protobuf, 'base64');
    assert.equal(hex(encodeEnvelope(decodeEnvelope(bytes))), hex(bytes));
  }
});

/** Zero values say the same as absent ones to everyone who reads Kubernetes JSON. */
function withoutZeros(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.map(withoutZeros);
  if (value === '' || value === 0 || value === false || value === null) return undefined;
  if (typeof value !== 'object' || value === undefined) return value;
  const entries = Object.entries(value as Json)
    .map(([key, one]) => [key, withoutZeros(one)] as const)
    .filter(([, one]) => one !== undefined);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

/** Claim templates have a kind in JSON; on the wire only the outermost object has one. */
function withoutInnerKinds(object: Json): Json {
  const copy = structuredClone(object) as { spec?: { volumeClaimTemplates?: Json[] } };
  for (const claim of copy.spec?.volumeClaimTemplates ?? []) {
    delete claim['apiVersion'];
    delete claim['kind'];
  }
  return copy as Json;
}

test('objects are decoded to what kube-apiserver says of them in JSON', () => {
  for (const { json, protobuf } of vectors) {
    const decoded = decodeEnvelope(Buffer.from(protobuf, 'base64'));
    assert.deepEqual(withoutZeros(decoded), withoutZeros(withoutInnerKinds(json)));
  }
});

test('whatever is cut off or overwritten decodes, or is refused with a fault', () => {
  const all = vectors.map(({ protobuf }) => Buffer.from(protobuf, 'base64'));
  fc.assert(
    fc.property(
      fc.constantFrom(...all),
      fc.nat(),
      fc.integer({ min: 0, max: 255 }),
      fc.boolean(),
      (bytes, at, byte, isCut) => {
        const place = 4 + (at % (bytes.length - 4));
        const changed = Buffer.from(isCut ? bytes.subarray(0, place) : bytes);
        if (!isCut) changed[place] = byte;
        try {
          decodeEnvelope(changed);
        } catch (error) {
          assert.equal(faultCode(error), 'bad-protobuf', String(error));
        }
      },
    ),
    { numRuns: 2_000 },
  );
});

/** In hexadecimal. */
function varint(value: bigint): string {
  const byte = (bits: bigint): string => Number(bits).toString(16).padStart(2, '0');
  return value < 128n ? byte(value) : byte((value & 127n) | 128n) + varint(value >> 7n);
}

test('whole numbers of 64 bits are exact both ways', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: INT64_MIN, max: INT64_MAX }), (number) => {
      const revision = plainest(number);
      const object = { apiVersion: 'apps/v1', kind: 'ControllerRevision', metadata: {}, revision };
      const bytes = encodeEnvelope(object);
      assert.ok(bytes !== undefined);
      // Zero is what is not there.
      const { revision: read = 0 } = decodeEnvelope(bytes);
      assert.equal(read, revision);
      assert.ok(hex(bytes).includes(`18${varint(BigInt.asUintN(64, number))}`));
    }),
  );
});

test('data of a revision with nothing in them are data', () => {
  const revision = { apiVersion: 'apps/v1', kind: 'ControllerRevision', metadata: { name: 'a' } };
  for (const data of [{}, [], 0, { a: 1 }]) {
    const message = encodeEnvelope({ ...revision, data, revision: 1 });
    assert.deepEqual(decodeEnvelope(message ?? Buffer.alloc(0))['data'], data);
  }
  const message = encodeEnvelope({ ...revision, revision: 1 });
  assert.equal('data' in decodeEnvelope(message ?? Buffer.alloc(0)), false);
});
