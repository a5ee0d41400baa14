// Frames that wait, taken whole or piece by piece: always the same bytes, in the same order.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeFrame, frameTypes } from './frames.ts';
import { FrameBatch, giveBack } from './output.ts';

const payload = fc
  .tuple(fc.nat(255), fc.integer({ min: 1, max: 300 }))
  .map(([byte, length]) => Buffer.alloc(length, byte));
const kind = fc.constantFrom('whole' as const, 'data' as const, 'shared' as const);
const step = fc.record({ kind, which: fc.nat(2), runs: fc.integer({ min: 1, max: 20 }) });

const steps = fc.array(step, { minLength: 1, maxLength: 20 });
const sizes = fc.array(
  fc.oneof(fc.integer({ min: 1, max: 2_000 }), fc.integer({ min: 4_097, max: 100_000 })),
  { minLength: 1, maxLength: 10 },
);

type Payloads = readonly [Buffer, Buffer, Buffer];

/** Of streams from `streamId` on: the batch, and what it is to give. */
function filled(
  payloads: Payloads,
  added: readonly { kind: 'whole' | 'data' | 'shared'; which: number; runs: number }[],
  streamId: number,
): { batch: FrameBatch; expected: Buffer[] } {
  const batch = new FrameBatch();
  const expected: Buffer[] = [];
  for (const { kind: how, which, runs } of added) {
    const bytes = payloads[which as 0 | 1 | 2];
    for (let run = 0; run < (how === 'shared' ? runs : 1); run += 1) {
      const id = streamId + 2 * expected.length;
      const frame = encodeFrame(frameTypes.data, 0, id, bytes);
      if (how === 'whole') batch.addWhole(frame);
      else if (how === 'shared') batch.addShared([id], bytes);
      else batch.add({ type: frameTypes.data, flags: 0, streamId: id }, bytes, 0, bytes.length);
      expected.push(frame);
    }
  }
  return { batch, expected };
}

test('a batch gives what was added, whatever is taken at a time', () => {
  fc.assert(
    fc.property(fc.tuple(payload, payload, payload), steps, sizes, (payloads, added, taken) => {
      const { batch, expected } = filled(payloads, added, 3);
      const all = Buffer.concat(expected);
      const longest = Math.max(...expected.map(({ length }) => length));
      assert.equal(batch.size, all.length);
      const found: Buffer[] = [];
      for (let turn = 0; batch.size > 0; turn += 1) {
        const bytesMax = taken[turn % taken.length] as number;
        const before = batch.size;
        const piece = Buffer.from(batch.take(bytesMax));
        assert.ok(piece.length > 0 && piece.length <= Math.max(bytesMax, longest));
        assert.equal(batch.size, before - piece.length);
        found.push(piece);
      }
      assert.deepEqual(Buffer.concat(found), all);
    }),
  );
});

test('what the batch of one connection has left in a block is not seen in the next', () => {
  const several = fc.array(steps, { minLength: 2, maxLength: 5 });
  const twice = fc.tuple(steps, fc.integer({ min: 1, max: 4 }));
  const connections = fc.oneof(
    several,
    twice.map(([one, times]) => Array.from({ length: times + 1 }, () => one)),
  );
  fc.assert(
    fc.property(fc.tuple(payload, payload, payload), connections, sizes, (payloads, all, taken) => {
      for (const [index, added] of all.entries()) {
        const { batch, expected } = filled(payloads, added, 1 + 0x10002 * index);
        const found: Buffer[] = [];
        for (let turn = 0; batch.size > 0; turn += 1) {
          const piece = batch.take(taken[turn % taken.length]);
          found.push(Buffer.from(piece));
          giveBack(piece);
        }
        assert.deepEqual(Buffer.concat(found), Buffer.concat(expected));
      }
    }),
  );
});
