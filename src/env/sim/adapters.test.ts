// The simulated adapters against the ports' conformance suites.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clockConformance } from '#env/conformance/clock.ts';
import { diskConformance } from '#env/conformance/disk.ts';
import { SimClock } from './clock.ts';
import { SimDisk } from './disk.ts';
import { SimRandom } from './random.ts';

diskConformance('SimDisk', async () => {
  const disk = new SimDisk();
  await disk.makeFolder('/work');
  return { disk, folder: '/work' };
});

clockConformance('SimClock', () => {
  const clock = new SimClock();
  return { clock, timers: clock, elapse: async (ms) => clock.advance(ms) };
});

test('SimRandom gives the same stream for the same seed, and children of their own', () => {
  const a = new SimRandom(7);
  const b = new SimRandom(7);
  assert.deepEqual([a.next(), a.uuid()], [b.next(), b.uuid()]);
  assert.equal(new SimRandom(7).child('x').next(), a.child('x').next());
  assert.notEqual(new SimRandom(7).child('x').next(), new SimRandom(7).child('y').next());
});
