// A few rounds of what `node tools/prove-store.ts` does in hundreds: the embedded store is killed and paused,
// and the histories of clients and watches are judged. Not on etcd yet: see docs/operating/store.md.
import assert from 'node:assert/strict';
import test from 'node:test';
import { embeddedRounds } from '#test/support/store-history/embedded-rounds.ts';

test('the embedded store is linearizable and loses nothing when it is killed', async () => {
  const result = await embeddedRounds({ rounds: 5, seed: 7 });
  assert.deepEqual(result.problems, []);
  assert.ok(result.revisions > 50, JSON.stringify(result));
});
