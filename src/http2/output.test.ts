// Frames that wait, taken whole or piece by piece: always the same bytes, in the same order.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeFrame, frameTypes } from './frames.ts';
import { FrameBatch } from './output.ts';

const payload = fc
  .tuple(fc.nat(255), fc.integer({ min: 1, max: 300 }))
  .map(([byte, length]) => Buffer.alloc(length, byte));
const kind = fc.constantFrom('whole' as const, 'data' as const, 'shared' as const);
const step = fc.record({ kind, which: fc.nat(2), runs: fc.integer({ min: 1, max: 20 }) });

test('a batch gives what was added, whatever is taken at a time', () => {
  const steps = fc.array(step, { minLength: 1, maxLength: 20 });
  const sizes = fc.array(fc.integer({ min: 1, max: 2_000 }), { minLength: 1, maxLength: 10 });
  fc.assert(
    fc.property(fc.tuple(payload, payload, payload), steps, sizes, (payloads, added, taken) => {
      const batch = new FrameBatch();
      const expected: Buffer[] = [];
      let longest = 0;
      let streamId = 1;
      for (const { kind: which, which: index, runs } of added) {
        const bytes = payloads[index as 0 | 1 | 2];
        for (let run = 0; run < (which === 'shared' ? runs : 1); run += 1) {
          streamId += 2;
          const frame = encodeFrame(frameTypes.data, 0, streamId, bytes);
          if (which === 'whole') batch.addWhole(frame);
          else if (which === 'shared') batch.addShared(streamId, bytes);
          else batch.add({ type: frameTypes.data, flags: 0, streamId }, bytes, 0, bytes.length);
          expected.push(frame);
          longest = Math.max(longest, frame.length);
        }
      }
      const all = Buffer.concat(expected);
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
