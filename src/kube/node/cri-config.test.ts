// What is asked of a container runtime, as tables: names of images, credentials, places, scores.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fullImageName, oomScore } from './cri-config.ts';
import { authFor } from './cri-images.ts';
import { cniPlaces } from './cri-network.ts';
import type { Container, Pod } from './pod-spec.ts';
import { chooseRuntime } from './runtimes.ts';

test('fullImageName completes a name as container runtimes read it', () => {
  const table = {
    nginx: 'docker.io/library/nginx:latest',
    'nginx:1.27': 'docker.io/library/nginx:1.27',
    'someone/app': 'docker.io/someone/app:latest',
    'quay.example/app:2': 'quay.example/app:2',
    'localhost/app': 'localhost/app:latest',
    'host:5000/app': 'host:5000/app:latest',
    'app@sha256:00': 'docker.io/library/app@sha256:00',
  };
  for (const [name, full] of Object.entries(table)) assert.equal(fullImageName(name), full);
});

test('authFor finds the credentials of the registry in pull secrets', () => {
  const auths = {
    'https://index.docker.io/v1/': { username: 'u', password: 'p' },
    'quay.example': { auth: 'dTpw' },
  };
  const text = Buffer.from(JSON.stringify({ auths })).toString('base64');
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {},
    data: { '.dockerconfigjson': text },
  };
  assert.equal(authFor('docker.io/library/nginx:latest', [secret])?.['username'], 'u');
  assert.equal(authFor('quay.example/app:2', [secret])?.['auth'], 'dTpw');
  assert.equal(authFor('other.example/app:2', [secret]), undefined);
  const broken = { ...secret, data: { '.dockerconfigjson': 'bm90IGpzb24=' } };
  assert.equal(authFor('quay.example/app:2', [broken]), undefined);
});

test('cniPlaces reads the places of containerd 1 and 2, and knows the usual ones', () => {
  const of = (cni: unknown): unknown => cniPlaces({ config: JSON.stringify({ cni }) });
  const confDir = '/etc/cni/net.d';
  assert.deepEqual(of({ binDir: '/b', confDir: '/c' }), { binDir: '/b', confDir: '/c' });
  assert.deepEqual(of({ binDirs: ['/b'], binDir: '', confDir }), { binDir: '/b', confDir });
  assert.deepEqual(cniPlaces({}), { binDir: '/opt/cni/bin', confDir });
  assert.deepEqual(cniPlaces({ config: 'no json' }), { binDir: '/opt/cni/bin', confDir });
});

test('oomScore spares pods by their class of service and their request', () => {
  const container = (memory?: string): Container => ({
    name: 'c',
    resources: memory === undefined ? {} : { requests: { memory } },
  });
  const pod = (qosClass: string): Pod => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {},
    spec: { containers: [] },
    status: { qosClass },
  });
  const machine = 10 * 2 ** 30;
  assert.equal(oomScore(pod('Guaranteed'), container('1Gi'), machine), -997);
  assert.equal(oomScore(pod('BestEffort'), container(), machine), 1000);
  assert.equal(oomScore(pod('Burstable'), container('1Gi'), machine), 900);
  assert.equal(oomScore(pod('Burstable'), container('10Gi'), machine), 3);
  assert.equal(oomScore(pod('Burstable'), container(), machine), 999);
});

test('chooseRuntime: by class, then by what the machine has, then by the image', () => {
  const pod = (image: string, runtimeClassName?: string): Pod => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {},
    spec: {
      containers: [{ name: 'c', image }],
      ...(runtimeClassName === undefined ? {} : { runtimeClassName }),
    },
  });
  const choose = (one: Pod, hasCri: boolean): unknown =>
    chooseRuntime(one, { hasCri, classDefault: undefined });
  assert.deepEqual(choose(pod('nginx'), false), { kind: 'process' });
  assert.deepEqual(choose(pod('nginx'), true), { kind: 'cri', handler: '' });
  assert.deepEqual(choose(pod('host'), true), { kind: 'process' });
  assert.deepEqual(choose(pod('nginx', 'process'), true), { kind: 'process' });
  assert.deepEqual(choose(pod('nginx', 'gvisor'), true), { kind: 'look-up', className: 'gvisor' });
});
