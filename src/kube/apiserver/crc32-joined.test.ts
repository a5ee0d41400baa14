// CRCs of pieces are joined as if they had been one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { joinedCrc, shiftOf } from './crc32-joined.ts';

test('the CRC of two pieces is that of the whole', () => {
  const bytes = fc.uint8Array({ maxLength: 3_000 });
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      const joined = joinedCrc(crc32(a), crc32(b), shiftOf(b.length));
      assert.equal(joined, crc32(Buffer.concat([a, b])));
    }),
  );
});
