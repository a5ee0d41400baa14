// One after the other, whatever becomes of those before.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Turns } from './turns.ts';

test('Turns does one after the other, and goes on after one that failed', async () => {
  const turns = new Turns();
  const seen: string[] = [];
  const first = Promise.withResolvers<number>();
  const one = turns.next(async () => {
    seen.push('one');
    return await first.promise;
  });
  const two = turns.next(async () => {
    seen.push('two');
    throw new Error('no');
  });
  const three = turns.next(async () => void seen.push('three'));
  await new Promise((done) => setImmediate(done));
  assert.deepEqual(seen, ['one']);
  first.resolve(1);
  assert.equal(await one, 1);
  await assert.rejects(two, /no/);
  await three;
  assert.deepEqual(seen, ['one', 'two', 'three']);
});
