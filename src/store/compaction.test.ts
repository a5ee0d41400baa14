// History is kept for five to ten minutes, however long a store is open.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultCode } from '#base/fault.ts';
import { silentLog } from '#env/node/log.ts';
import { SimClock } from '#env/sim/clock.ts';
import { COMPACTION_INTERVAL_MS, startCompaction } from './compaction.ts';
import { MemoryStore } from './memory-store.ts';
import { prefixEnd } from './store.ts';

const all = { start: '/', end: prefixEnd('/') };

test('startCompaction() forgets what is older than the last time, until it is closed', async () => {
  const clock = new SimClock();
  await using store = new MemoryStore();
  const write = async (): Promise<number> => {
    const value = new Uint8Array([1]);
    const { revision } = await store.txn({
      compare: [],
      // oxlint-disable-next-line unicorn/no-thenable -- the store's own word
      then: [{ kind: 'put', key: '/a', value }],
    });
    return revision;
  };
  const isGone = async (revision: number): Promise<boolean> => {
    try {
      await store.range({ ...all, revision });
      return false;
    } catch (error) {
      assert.equal(faultCode(error), 'compacted');
      return true;
    }
  };
  const compaction = startCompaction(store, { timers: clock, log: silentLog });
  const old = await write();
  await write();
  await clock.settle(COMPACTION_INTERVAL_MS);
  assert.equal(await isGone(old), false);
  const recent = await write();
  await clock.settle(COMPACTION_INTERVAL_MS);
  assert.equal(await isGone(old), true);
  assert.equal(await isGone(recent), false);
  compaction.close();
  await clock.settle(3 * COMPACTION_INTERVAL_MS);
  assert.equal(await isGone(recent), false);
});
