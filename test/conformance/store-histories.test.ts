// A few rounds of what `node tools/prove-store.ts` does in hundreds: the embedded store is killed and paused,
// an etcd of three members disturbed, and the histories of clients and watches are judged.
import assert from 'node:assert/strict';
import test from 'node:test';
import { findEtcd } from '#test/support/etcd.ts';
import { embeddedRounds } from '#test/support/store-history/embedded-rounds.ts';
import { namespacesMissing } from '#test/support/store-history/etcd-namespaces.ts';
import { etcdRounds } from '#test/support/store-history/etcd-rounds.ts';

test('the embedded store is linearizable and loses nothing when it is killed', async () => {
  const result = await embeddedRounds({ rounds: 5, seed: 7 });
  assert.deepEqual(result.problems, []);
  assert.ok(result.revisions > 50, JSON.stringify({ ...result, history: undefined }));
});

const found = findEtcd();
const skip = found.ok ? ((await namespacesMissing()) ?? false) : found.reason;

test('stores on an etcd of three are linearizable while members fail', { skip }, async () => {
  const result = await etcdRounds(found.ok ? found.path : '', { rounds: 4, seed: 7 });
  assert.deepEqual(result.problems, []);
  assert.ok(result.revisions > 50, JSON.stringify({ ...result, history: undefined }));
});
