// Parts that are packed one by one make one gzip stream that anybody unpacks, and equal parts are packed
// once.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { SimRandom } from '#env/sim/random.ts';
import { gzipped } from './gzip-parts.ts';

async function whole(parts: readonly Uint8Array[]): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(gzipped(parts)));
}

function someParts(seed: number): Uint8Array[] {
  const random = new SimRandom(seed);
  return Array.from({ length: Math.floor(random.next() * 6) }, () => {
    const length = Math.floor(random.next() ** 3 * 200_000);
    // Half of them can be packed, the others cannot.
    return random.next() < 0.5
      ? Buffer.from(`{"name":"agent-${length}"},`.repeat(Math.ceil(length / 20)))
      : random.bytes(length);
  });
}

test('what is unpacked is what the parts were, whatever they are', async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const parts = someParts(seed);
    assert.ok(gunzipSync(await whole(parts)).equals(Buffer.concat(parts)), `seed ${seed}`);
  }
});

test('gzip(1) unpacks it, and its check sum is right', async () => {
  const parts = [Buffer.from('a'.repeat(50_000)), Buffer.from(''), Buffer.from('the end')];
  const { status, stdout, stderr } = spawnSync('gzip', ['-dc'], { input: await whole(parts) });
  assert.equal(status, 0, stderr.toString());
  assert.ok(stdout.equals(Buffer.concat(parts)));
});

test('a large part is packed once', async () => {
  const page = Buffer.from('{"id":"S1"},'.repeat(5_000));
  const [, first] = await Array.fromAsync(gzipped([page]));
  const [, , second] = await Array.fromAsync(gzipped([Buffer.from('new'), page]));
  assert.equal(first, second);
});
