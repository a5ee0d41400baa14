// When certificates of a pod are asked for, what its volumes show of them, and what is told, on told time.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimClock } from '#env/sim/clock.ts';
import { SimRandom } from '#env/sim/random.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import type { NodeApi, PodEvent } from './node-api.ts';
import { isDecided, PodCertificates } from './pod-certificates.ts';
import type { Pod } from './pod-spec.ts';
import { volumeFiles, type FileSources } from './volume-files.ts';

const HOUR_MS = 3_600_000;
const chain = (body: string): string =>
  `-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----\n`;

const source = {
  signerName: 'x.example/s',
  keyType: 'ED25519',
  maxExpirationSeconds: 7200,
  keyPath: 'key.pem',
  certificateChainPath: 'chain.pem',
  credentialBundlePath: 'both.pem',
  userAnnotations: { 'x.example/a': 'b' },
};
const pod: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'ns', uid: 'uid-p' },
  spec: {
    containers: [],
    serviceAccountName: 'robot',
    volumes: [{ name: 'v', projected: { sources: [{ podCertificate: source }] } }],
  },
};

/** One pod's certificates, and a signer that decides when the test says so. */
class World {
  readonly clock = new SimClock();
  readonly requests: KubeObject[] = [];
  readonly events: PodEvent[] = [];
  readonly certificates: PodCertificates;
  #decide: (request: KubeObject | undefined) => void = () => {};
  #count = 0;

  constructor() {
    const named = (name: string): KubeObject => ({
      apiVersion: 'v1',
      kind: 'Some',
      metadata: { name, uid: `uid-of-${name}` },
    });
    const api = {
      serviceAccount: async (_namespace: string, name: string) => named(name),
      node: async () => named('n1'),
      makeCertificateKey: async () => ({
        key: `key-${(this.#count += 1)}\n`,
        request: new Uint8Array([1, 2]),
      }),
      requestCertificate: async (request: KubeObject) => {
        this.requests.push(request);
        const metadata = { ...request.metadata, name: `req-${this.requests.length}` };
        return { ...request, metadata };
      },
      certificateDone: async (_request: KubeObject, signal: AbortSignal) => {
        const done = Promise.withResolvers<KubeObject | undefined>();
        signal.addEventListener('abort', () => done.resolve(undefined));
        this.#decide = done.resolve;
        return await done.promise;
      },
      recordEvent: (_pod: Pod, event: PodEvent) => this.events.push(event),
    } as unknown as NodeApi;
    const { clock } = this;
    this.certificates = new PodCertificates(api, {
      clock,
      timers: clock,
      random: new SimRandom(1),
    });
  }

  async decide(type: string, more: object = {}): Promise<void> {
    const status = { conditions: [{ type, reason: 'Why', message: 'so' }], ...more };
    const request = { apiVersion: 'v1', kind: 'Some', metadata: {}, status };
    assert.ok(isDecided(request));
    this.#decide(request);
    await this.clock.settle();
  }

  async issue(body: string): Promise<void> {
    const now = this.clock.now();
    const time = (hours: number): string => new Date(now + hours * HOUR_MS).toISOString();
    const certificateChain = `# mine\n${chain(body)}# end\n`;
    await this.decide('Issued', { certificateChain, beginRefreshAt: time(1), notAfter: time(2) });
  }

  async gone(): Promise<void> {
    this.#decide(undefined);
    await this.clock.settle();
  }

  /** What the volume holds, or why it holds nothing. */
  async files(): Promise<Record<string, string> | string> {
    const looking = this.certificates.ofPod(pod);
    const asked = this.requests.length;
    await this.clock.settle();
    // Nobody has decided on the first one: the pod has waited for long enough.
    if (asked < this.requests.length || asked === 0) this.clock.advance(10_000);
    const sources = { certificates: await looking } as unknown as FileSources;
    try {
      const found = volumeFiles(pod, pod.spec.volumes?.[0] ?? { name: '' }, sources) ?? [];
      return Object.fromEntries(
        found.map(({ path, bytes }) => [path, Buffer.from(bytes).toString()]),
      );
    } catch (error) {
      return (error as Error).message;
    }
  }
}

test('a certificate is asked for once, in the name of pod, account and node', async () => {
  const world = new World();
  assert.equal(await world.files(), 'credential bundle is not issued yet');
  await world.issue('AAAA');
  assert.deepEqual(await world.files(), {
    'both.pem': `key-1\n${chain('AAAA')}`,
    'key.pem': 'key-1\n',
    'chain.pem': chain('AAAA'),
  });
  assert.deepEqual(world.requests, [
    {
      apiVersion: 'certificates.k8s.io/v1',
      kind: 'PodCertificateRequest',
      metadata: {
        namespace: 'ns',
        generateName: 'req-',
        ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'p', uid: 'uid-p' }],
      },
      spec: {
        signerName: 'x.example/s',
        podName: 'p',
        podUID: 'uid-p',
        serviceAccountName: 'robot',
        serviceAccountUID: 'uid-of-robot',
        nodeName: 'n1',
        nodeUID: 'uid-of-n1',
        maxExpirationSeconds: 7200,
        unverifiedUserAnnotations: { 'x.example/a': 'b' },
        stubPKCS10Request: 'AQI=',
      },
    },
  ]);
});

test('a certificate is renewed when it says so, and stays until there is another one', async () => {
  const world = new World();
  await world.files();
  await world.issue('AAAA');
  world.clock.advance(HOUR_MS - 1);
  await world.files();
  assert.equal(world.requests.length, 1);
  world.clock.advance(300_001);
  const still = await world.files();
  assert.equal(world.requests.length, 2);
  assert.match(JSON.stringify(still), /key-1/);
  world.clock.advance(HOUR_MS);
  await world.files();
  await world.files();
  assert.deepEqual(
    world.events.map(({ reason }) => reason),
    ['CertificateOverdueForRefresh', 'CertificateExpired'],
  );
  await world.issue('BBBB');
  assert.match(JSON.stringify(await world.files()), /key-2.*BB/);
  assert.equal(world.requests.length, 2);
});

test('who is refused is told so and does not ask again', async () => {
  for (const [type, said] of [
    ['Denied', 'was denied'],
    ['Failed', 'failed'],
  ] as const) {
    const world = new World();
    await world.files();
    await world.decide(type);
    const why = 'reason="Why" message="so"';
    const want = `PodCertificateRequest was permanently ${type.toLowerCase()}: ${why}`;
    assert.equal(await world.files(), want);
    assert.equal(world.requests.length, 1);
    const message = `PodCertificateRequest ns/req-1 ${said}, reason="Why", message="so"`;
    assert.deepEqual(world.events, [{ type: 'Warning', reason: type, message }]);
  }
});

test('a request that somebody has deleted is made again', async () => {
  const world = new World();
  await world.files();
  await world.gone();
  await world.files();
  assert.equal(world.requests.length, 2);
});

test('PodCertificates.close() asks no more', async () => {
  const world = new World();
  await world.files();
  world.certificates.close();
  await world.clock.settle();
  assert.match(String(await world.files()), /appears to have been deleted/);
  assert.equal(world.requests.length, 1);
});
