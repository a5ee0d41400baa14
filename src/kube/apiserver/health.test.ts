// What the health paths say while the store answers, does not, or is gone (healthz of k8s.io/apiserver).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimClock } from '#env/sim/clock.ts';
import { MemoryStore } from '#store/memory-store.ts';
import { Health, type Stage } from './health.ts';

const log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
const query = (text = ''): URLSearchParams => new URLSearchParams(text);

const stages: readonly Stage[] = [
  'caches',
  'admission',
  'definitions',
  'aggregation',
  'flows',
  'objects',
  'addresses',
  'authentication',
  'identity',
];

function begin(isSynced = true, reached = stages) {
  const [clock, store] = [new SimClock(), new MemoryStore()];
  const health = new Health({ store, isSynced: () => isSynced }, { timers: clock, log });
  for (const stage of reached) health.reached(stage);
  return { clock, store, health };
}

/** Without the ends of the start, of which there are many. */
const short = (text = ''): string => text.replaceAll(/\[\+\](?:poststarthook|autoreg).* ok\n/g, '');
async function shortAnswer(health: Health, path: string, text?: string) {
  const answer = await health.answer(path, query(text));
  return { status: answer?.status, text: short(answer?.text) };
}

test('ok, and check by check for those who want to know', async () => {
  const { health } = begin();
  assert.deepEqual(await health.answer('/readyz', query()), { status: 200, text: 'ok' });
  assert.deepEqual(await shortAnswer(health, '/readyz', 'verbose'), {
    status: 200,
    text: '[+]ping ok\n[+]log ok\n[+]etcd ok\n[+]etcd-readiness ok\n[+]informer-sync ok\n[+]shutdown ok\nreadyz check passed\n',
  });
  assert.deepEqual(await shortAnswer(health, '/livez', 'verbose&exclude=etcd&exclude=x'), {
    status: 200,
    text:
      '[+]ping ok\n[+]log ok\n[+]loopback-serving-certificate ok\n[+]etcd excluded: ok\n' +
      'warn: some health checks cannot be excluded: no matches for "x"\nlivez check passed\n',
  });
  assert.deepEqual(await health.answer('/readyz/etcd', query()), { status: 200, text: 'ok' });
  assert.equal(await health.answer('/readyz/none', query()), undefined);
  assert.equal(await health.answer('/other', query()), undefined);
});

test('a store that is gone fails the check, and the reason is withheld', async () => {
  const { health, store } = begin();
  store.current = () => Promise.reject(new Error('secret'));
  assert.deepEqual(await shortAnswer(health, '/livez'), {
    status: 500,
    text: '[+]ping ok\n[+]log ok\n[+]loopback-serving-certificate ok\n[-]etcd failed: reason withheld\nlivez check failed\n',
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

test('plugins that keep keys are asked for /healthz and /readyz, and not for /livez', async () => {
  let why: string | undefined;
  const checkKeyPlugins = async (): Promise<void> => {
    if (why !== undefined) throw new Error(why);
  };
  const options = { store: new MemoryStore(), isSynced: () => true, checkKeyPlugins };
  const health = new Health(options, { timers: new SimClock(), log });
  for (const stage of stages) health.reached(stage);
  const path = '/kms-providers';
  for (const endpoint of ['/healthz', '/readyz']) {
    why = undefined;
    assert.deepEqual(await health.answer(endpoint + path, query()), { status: 200, text: 'ok' });
    assert.equal((await health.answer(endpoint, query()))?.status, 200);
    why = 'kms-provider-0: gone';
    assert.deepEqual(await health.answer(endpoint + path, query()), {
      status: 500,
      text: 'internal server error: kms-provider-0: gone\n',
    });
    assert.equal((await health.answer(endpoint, query()))?.status, 500);
  }
  assert.equal(await health.answer(`/livez${path}`, query()), undefined);
  assert.equal((await health.answer('/livez', query()))?.status, 200);
  const { health: plain } = begin();
  assert.equal(await plain.answer(`/healthz${path}`, query()), undefined);
});

/** What kube-apiserver v1.37.2 tells at /readyz?verbose, in its order. */
const upstream = `ping log etcd etcd-readiness informer-sync
poststarthook/start-apiserver-admission-initializer poststarthook/generic-apiserver-start-informers
poststarthook/priority-and-fairness-config-consumer poststarthook/priority-and-fairness-filter
poststarthook/storage-object-count-tracker-hook poststarthook/start-apiextensions-informers
poststarthook/start-apiextensions-controllers poststarthook/crd-informer-synced
poststarthook/start-system-namespaces-controller poststarthook/peer-endpoint-reconciler-controller
poststarthook/start-cluster-authentication-info-controller
poststarthook/start-kube-apiserver-identity-lease-controller
poststarthook/start-kube-apiserver-identity-lease-garbage-collector poststarthook/storage-readiness
poststarthook/start-legacy-token-tracking-controller poststarthook/start-service-ip-repair-controllers
poststarthook/rbac/bootstrap-roles poststarthook/scheduling/bootstrap-system-priority-classes
poststarthook/priority-and-fairness-config-producer poststarthook/bootstrap-controller
poststarthook/start-kubernetes-service-cidr-controller poststarthook/aggregator-reload-proxy-client-cert
poststarthook/start-kube-aggregator-informers
poststarthook/apiservice-status-local-available-controller
poststarthook/apiservice-status-remote-available-controller
poststarthook/apiservice-registration-controller poststarthook/apiservice-discovery-controller
poststarthook/kube-apiserver-autoregistration autoregister-completion
poststarthook/apiservice-openapi-controller poststarthook/apiservice-openapiv3-controller`.split(
  /\s+/,
);
/** Requests are not passed on to other servers of the cluster. */
const absent = /^poststarthook\/peer-endpoint/;

test('checks have the names and the order of upstream', async () => {
  const { health } = begin();
  const { text = '' } = (await health.answer('/readyz', query('verbose'))) ?? {};
  const names = [...text.matchAll(/^\[\+\](\S+) ok$/gm)].map(([, name]) => name);
  const wanted = upstream.filter((name) => !absent.test(name));
  assert.deepEqual(names, [...wanted, 'shutdown']);
  for (const name of wanted) {
    assert.equal((await health.answer(`/readyz/${name}`, query()))?.status, 200, name);
  }
});

for (const stage of stages) {
  void test(`a start that has not got to ${stage} is told of`, async () => {
    const { health } = begin(
      true,
      stages.filter((one) => one !== stage),
    );
    const answer = await health.answer('/livez', query());
    assert.equal(answer?.status, 500);
    assert.match(answer?.text ?? '', /\[-\](?:poststarthook\/|autoregister)\S+ failed/);
  });
}
