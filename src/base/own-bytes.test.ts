// Who keeps bytes is to keep nothing else with them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ownBytes } from './own-bytes.ts';

test('ownBytes() copies what is part of something larger, and only that', () => {
  const pooled = Buffer.from('some text');
  assert.ok(pooled.buffer.byteLength > pooled.length);
  const own = ownBytes(pooled);
  assert.ok(Buffer.isBuffer(own));
  assert.deepEqual([own.toString(), own.buffer.byteLength], ['some text', pooled.length]);
  assert.equal(ownBytes(own), own);
  const part = new Uint8Array([1, 2, 3]).subarray(1);
  assert.deepEqual(ownBytes(part), new Uint8Array([2, 3]));
  assert.equal(ownBytes(part).buffer.byteLength, 2);
  const whole = new Uint8Array([1, 2]);
  assert.equal(ownBytes(whole), whole);
  assert.equal(ownBytes(Buffer.alloc(0)).length, 0);
});
