// Which buffers are used again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PieceBuffers } from './piece-buffers.ts';

test('PieceBuffers gives a buffer again only when it has come back', () => {
  const buffers = new PieceBuffers();
  const one = buffers.take(100);
  const two = buffers.take(200);
  assert.deepEqual([one.length, two.length], [100, 200]);
  assert.notEqual(one.buffer, two.buffer);
  buffers.giveBack(one);
  const again = buffers.take(200_000);
  assert.equal(again.buffer, one.buffer);
  assert.equal(again.length, 200_000);
  assert.notEqual(buffers.take(1).buffer, again.buffer);
});

test('PieceBuffers keeps few, and none of another size', () => {
  const buffers = new PieceBuffers();
  const long = buffers.take(600_000);
  assert.equal(long.length, 600_000);
  buffers.giveBack(long);
  const taken = Array.from({ length: 12 }, () => buffers.take(1));
  assert.ok(taken.every(({ buffer }) => buffer !== long.buffer));
  for (const one of taken) buffers.giveBack(one);
  const again = Array.from({ length: 12 }, () => buffers.take(1));
  const were = new Set(taken.map(({ buffer }) => buffer));
  assert.equal(again.filter(({ buffer }) => were.has(buffer)).length, 8);
});
