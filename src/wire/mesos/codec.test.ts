// Every message of ours against protobufjs, an implementation by others: the same bytes for the same
// value, both ways; and hostile bytes are a fault, never a crash or a wait.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import protobufjs from 'protobufjs';
import { faultCode } from '#base/fault.ts';
import { Schema, type FieldDescriptor } from '#codec/protobuf.ts';
import { flatName } from '#tools/generate-wire.ts';
import { decode, encode, fromJson, parseJson, stringify, type MessageName } from './codec.ts';
import { descriptors } from './v1.ts';

const schema = new Schema(descriptors);
const theirs = new Map<string, protobufjs.Type>();

function collect(namespace: protobufjs.NamespaceBase): void {
  for (const nested of namespace.nestedArray) {
    if (nested instanceof protobufjs.Type) theirs.set(flatName(nested.fullName.slice(1)), nested);
    if (nested instanceof protobufjs.Namespace) collect(nested);
  }
}

const root = new protobufjs.Root();
for (const name of readdirSync(import.meta.dirname).filter((one) => one.endsWith('.proto'))) {
  // All in one root: imports need no files.
  const text = readFileSync(join(import.meta.dirname, name), 'utf8').replace(/^import .*$/gm, '');
  protobufjs.parse(text, root, { keepCase: true });
}
collect(root.resolveAll());

const names = Object.keys(descriptors).filter((name) => !descriptors[name]?.startsWith('='));

const kinds: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  s: fc.oneof(fc.string({ unit: 'binary', maxLength: 12 }), fc.string({ minLength: 30, maxLength: 200 })),
  b: fc.uint8Array({ maxLength: 40 }),
  B: fc.boolean(),
  i: fc.integer(),
  l: fc.maxSafeInteger(),
  u: fc.nat(0x7fff_ffff).map((half) => half * 2 + 1),
  L: fc.maxSafeNat(),
  d: fc.double({ noNaN: true }),
  f: fc.float({ noNaN: true }),
};

function arbitrary(message: string, depth: number): fc.Arbitrary<Record<string, unknown>> {
  const parts: Record<string, fc.Arbitrary<unknown>> = {};
  const required: string[] = [];
  for (const field of schema.fields(message)) {
    if (field.label !== '!' && field.kind === 'message' && depth > 2) continue;
    const one = arbitraryOne(field, depth);
    if (field.label === '!') required.push(field.name);
    if (field.label === '+') {
      parts[field.name] = fc.array(one, { minLength: 1, maxLength: 2 });
    } else if (field.label === '%') {
      const key = fc.string({ maxLength: 5 }).filter((text) => text !== '__proto__');
      parts[field.name] = fc.dictionary(key, one, { minKeys: 1, maxKeys: 2, noNullPrototype: true });
    } else parts[field.name] = one;
  }
  return fc.record(parts, { requiredKeys: required, noNullPrototype: true });
}

function arbitraryOne(field: FieldDescriptor, depth: number): fc.Arbitrary<unknown> {
  if (field.kind === 'message') return fc.constant(0).chain(() => arbitrary(field.type, depth + 1));
  if (field.kind === 'enum') {
    return fc.constantFrom(...schema.enumeration(field.type).byName.keys());
  }
  return kinds[field.kind] as fc.Arbitrary<unknown>;
}

function theirBytes(type: protobufjs.Type, value: object): Buffer {
  return Buffer.from(type.encode(type.fromObject(value)).finish());
}

test('the .proto files hold the same messages for both', () => {
  assert.deepEqual([...theirs.keys()].toSorted(), names.toSorted());
});

function checkMessage(message: MessageName, type: protobufjs.Type): void {
  fc.assert(
    fc.property(arbitrary(message, 0), (value) => {
      const bytes = Buffer.from(encode(message, value as never));
      assert.equal(bytes.toString('hex'), theirBytes(type, value).toString('hex'));
      assert.deepEqual(decode(message, bytes), value);
      // JSON has the defaults of unset fields beside what is set.
      const json = parseJson(message, stringify(message, value as never));
      assert.partialDeepStrictEqual(stripNegativeZero(json), stripNegativeZero(value));
      assert.deepEqual(parseJson(message, stringify(message, json)), json);
    }),
    { numRuns: 12 },
  );
}

test('every message: the same bytes as protobufjs, and back through bytes and JSON', async (t) => {
  for (const name of names) {
    const type = theirs.get(name);
    assert.ok(type !== undefined);
    try {
      checkMessage(name as MessageName, type);
    } catch (error) {
      await t.test(name, () => {
        throw error;
      });
    }
  }
});

/** JSON has no negative zero. */
function stripNegativeZero(value: unknown): unknown {
  if (value === 0) return 0;
  if (Array.isArray(value)) return value.map(stripNegativeZero);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, stripNegativeZero(one)]));
}

test('any bytes decode or are a fault', () => {
  const some = fc.constantFrom<MessageName>('SchedulerCall', 'RegisterSlaveMessage', 'Task', 'Offer');
  fc.assert(
    fc.property(some, fc.uint8Array({ maxLength: 200 }), (name, bytes) => {
      try {
        decode(name, bytes);
      } catch (error) {
        assert.equal(faultCode(error), 'bad-protobuf');
      }
    }),
    { numRuns: 2_000 },
  );
});

test('a message cut anywhere is a fault or a shorter message', () => {
  const bytes = encode('SchedulerCall', {
    type: 'ACKNOWLEDGE',
    framework_id: { value: 'f'.repeat(40) },
    acknowledge: {
      agent_id: { value: 'a' },
      task_id: { value: 't' },
      uuid: new Uint8Array(16),
    },
  });
  for (let length = 0; length < bytes.length; length++) {
    try {
      decode('SchedulerCall', bytes.subarray(0, length));
    } catch (error) {
      assert.equal(faultCode(error), 'bad-protobuf');
    }
  }
});

test('nesting without end is refused', () => {
  let bytes: Uint8Array = encode('ContainerID', { value: 'x' });
  for (let depth = 0; depth < 200; depth++) {
    bytes = Buffer.concat([Buffer.from([10, 1, 120, 18]), varint(bytes.length), bytes]);
  }
  assert.throws(
    () => decode('ContainerID', bytes),
    (error) => faultCode(error) === 'bad-protobuf',
  );
});

function varint(value: number): Buffer {
  const out: number[] = [];
  let rest = value;
  for (; rest > 127; rest >>>= 7) out.push((rest & 127) | 128);
  return Buffer.from([...out, rest]);
}

test('fields and enum values of later versions are skipped', () => {
  const later = protobufjs.parse(
    `syntax = "proto2"; message Later { optional string value = 1; optional double a = 500;
     optional fixed32 b = 501; optional string c = 502; optional int64 d = 503; }`,
    { keepCase: true },
  ).root.lookupType('Later');
  const bytes = theirBytes(later, { value: 'id', a: 1, b: 2, c: 'x', d: 4 });
  assert.deepEqual(decode('FrameworkID', bytes), { value: 'id' });
  assert.deepEqual(decode('FrameworkInfo_Capability', new Uint8Array([8, 100])), {});
  assert.deepEqual(fromJson('FrameworkInfo_Capability', { type: 'LATER' }), {});
});

test('a missing required field is named', () => {
  assert.throws(() => decode('FrameworkInfo', new Uint8Array()), /missing required field "user"/);
});

test('an entry of a map without a value has an empty one, which may lack what is required', () => {
  // QuotaConfig { role: "q", limits { key: "cpus", and nothing else } }
  const bytes = Buffer.from('0a01711a060a0463707573', 'hex');
  assert.throws(
    () => decode('QuotaConfig', bytes),
    /Cannot parse Value_Scalar: missing required field "value"/,
  );
  const wrongTag = Buffer.from('0a01711a080a046370757311aa', 'hex');
  assert.throws(() => decode('QuotaConfig', wrongTag), /Cannot parse/);
});
