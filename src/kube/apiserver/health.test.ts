// What the health paths say while the store answers, does not, or is gone (healthz of k8s.io/apiserver).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimClock } from '#env/sim/clock.ts';
import { MemoryStore } from '#store/memory-store.ts';
import { Health } from './health.ts';

const log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
const query = (text = ''): URLSearchParams => new URLSearchParams(text);

function begin(isSynced = true) {
  const [clock, store] = [new SimClock(), new MemoryStore()];
  return {
    clock,
    store,
    health: new Health({ store, isSynced: () => isSynced }, { timers: clock, log }),
  };
}

test('ok, and check by check for those who want to know', async () => {
  const { health } = begin();
  assert.deepEqual(await health.answer('/readyz', query()), { status: 200, text: 'ok' });
  assert.deepEqual(await health.answer('/readyz', query('verbose')), {
    status: 200,
    text: '[+]ping ok\n[+]etcd ok\n[+]informer-sync ok\n[+]shutdown ok\nreadyz check passed\n',
  });
  assert.deepEqual(await health.answer('/livez', query('verbose&exclude=etcd&exclude=x')), {
    status: 200,
    text:
      '[+]ping ok\n[+]etcd excluded: ok\n' +
      'warn: some health checks cannot be excluded: no matches for "x"\nlivez check passed\n',
  });
  assert.deepEqual(await health.answer('/readyz/etcd', query()), { status: 200, text: 'ok' });
  assert.equal(await health.answer('/readyz/none', query()), undefined);
  assert.equal(await health.answer('/other', query()), undefined);
});

test('a store that is gone fails the check, and the reason is withheld', async () => {
  const { health, store } = begin();
  store.current = () => Promise.reject(new Error('secret'));
  assert.deepEqual(await health.answer('/livez', query()), {
    status: 500,
    text: '[+]ping ok\n[-]etcd failed: reason withheld\nlivez check failed\n',
  });
  assert.equal((await health.answer('/livez', query('exclude=etcd')))?.status, 200);
  assert.equal((await health.answer('/livez/etcd', query()))?.status, 500);
});

test('a store that does not answer has failed after two seconds', async () => {
  const { health, store, clock } = begin();
  store.current = () => new Promise(() => {});
  const answer = health.answer('/healthz', query());
  await new Promise((done) => setImmediate(done));
  clock.advance(2_000);
  assert.equal((await answer)?.status, 500);
});

test('not ready before everything is loaded, and while the process ends; it lives all the same', async () => {
  const early = begin(false).health;
  assert.equal((await early.answer('/readyz', query()))?.status, 500);
  assert.equal((await early.answer('/livez', query()))?.status, 200);
  const { health } = begin();
  health.end();
  assert.match((await health.answer('/readyz', query()))?.text ?? '', /\[-\]shutdown failed/);
  assert.equal((await health.answer('/livez', query()))?.status, 200);
});
