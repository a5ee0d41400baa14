// Volumes and ephemeral containers of running pods, by processes of this machine: what a pod sees of memory,
// sub-paths and trust bundles, and what is left of them.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually } from '#test/support/cluster.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import type { Pod } from './pod-spec.ts';
import type { ContainerStatus } from './pod-state.ts';
import { subPathIn } from './sub-paths.ts';
import { trustAnchors } from './trust-bundles.ts';
import { NodeFixture, aPod } from './worker-fixture.test.ts';

const skip = process.getuid?.() !== 0 && 'needs root';
const stays = ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 0.1; done'];

/** A pod with one volume `v` at `/tmp/strata-test-v`, mounted as given. */
function withVolume(name: string, volume: object, more: object = {}): Pod {
  return aPod(name, {
    restartPolicy: 'Never',
    volumes: [{ name: 'v', ...volume }],
    containers: [
      {
        name: 'main',
        command: ['sh', '-c', 'stat -f -c %T /tmp/strata-test-v; stat -c %a:%g /tmp/strata-test-v'],
        volumeMounts: [{ name: 'v', mountPath: '/tmp/strata-test-v' }],
        ...more,
      },
    ],
  });
}

function mounts(): string {
  return readFileSync('/proc/self/mountinfo', 'utf8');
}

test('an emptyDir of medium Memory is a tmpfs', { skip }, async () => {
  await using node = new NodeFixture({ privileged: true });
  const pod = withVolume('mem', { emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } });
  const grouped = { ...pod, spec: { ...pod.spec, securityContext: { fsGroup: 4321 } } };
  const worker = await node.run(grouped);
  await node.until(() => node.finished.has('mem'));
  assert.equal(await node.logOf(worker, 'main'), 'tmpfs\n2777:4321\n');
  assert.ok(!mounts().includes(worker.folder), 'nothing is mounted any more');
});

test('what is in memory stays over a start of the executor', { skip }, async () => {
  await using node = new NodeFixture({ privileged: true });
  const keeps = 'echo kept > /tmp/strata-test-v/f; trap "exit 0" TERM; while :; do sleep 0.1; done';
  const pod = withVolume(
    'kept',
    { emptyDir: { medium: 'Memory' } },
    { command: ['sh', '-c', keeps] },
  );
  const worker = await node.run(pod);
  const file = join(worker.folder, 'volumes/v/f');
  await node.until(() => node.statusOf('kept')?.phase === 'Running');
  const written = (): boolean => existsSync(file) && readFileSync(file, 'utf8') === 'kept\n';
  await eventually('the file is written', async () => written());
  await node.restart();
  const again = await node.run(pod);
  assert.equal(readFileSync(file, 'utf8'), 'kept\n');
  assert.equal(mounts().split(`${worker.folder}/volumes/v `).length, 2, 'mounted once');
  const metadata = { ...pod.metadata, deletionTimestamp: 'now', deletionGracePeriodSeconds: 5 };
  again.update({ ...pod, metadata });
  await node.until(() => node.finished.has('kept'));
  assert.ok(!mounts().includes(worker.folder));
});

test('a sub-path is made as its volume is, and waits for its variables', { skip }, async () => {
  await using node = new NodeFixture({ privileged: true });
  const value = { valueFrom: { fieldRef: { fieldPath: "metadata.annotations['where']" } } };
  const pod = withVolume(
    'sub',
    { emptyDir: {} },
    {
      env: [{ name: 'WHERE', ...value }],
      command: ['sh', '-c', 'stat -c %a /tmp/strata-test-v'],
      volumeMounts: [{ name: 'v', mountPath: '/tmp/strata-test-v', subPathExpr: 'a/$(WHERE)' }],
    },
  );
  const worker = await node.run(pod);
  const waiting = (): { readonly reason?: string; readonly message?: string } =>
    worker.status().containerStatuses[0]?.state['waiting'] ?? {};
  await node.until(() => waiting().reason === 'CreateContainerConfigError');
  assert.equal(waiting().message, 'missing value for WHERE');
  assert.equal(worker.status().phase, 'Pending');
  // It does not wait for the next try.
  worker.update({ ...pod, metadata: { ...pod.metadata, annotations: { where: 'b' } } });
  await node.until(() => node.finished.has('sub'));
  assert.equal(await node.logOf(worker, 'main'), '777\n');
});

test('a sub-path does not follow a link out of its volume', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'strata-sub-path-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const volume = join(folder, 'volume');
  mkdirSync(join(volume, 'inner'), { recursive: true });
  symlinkSync(folder, join(volume, 'out'));
  symlinkSync('inner', join(volume, 'in'));
  assert.equal(await subPathIn(volume, 'in/new'), join(realpathSync(volume), 'inner/new'));
  for (const path of ['out', 'out/made', 'in/../../x', '/etc']) {
    await assert.rejects(subPathIn(volume, path), /must not|not within volume path/, path);
  }
  assert.ok(!existsSync(join(folder, 'made')));
});

const pem = (text: string): string =>
  `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`;

function aBundle(name: string, signerName: string, trustBundle: string): KubeObject {
  const metadata = { name, labels: { of: name } };
  const spec = { ...(signerName === '' ? {} : { signerName }), trustBundle };
  return { apiVersion: 'certificates.k8s.io/v1', kind: 'ClusterTrustBundle', metadata, spec };
}

test('trust bundles by name, and by signer and labels, each certificate once', () => {
  const bundles = [
    aBundle('a', 'x.example/s', `${pem('AAAA')}# between\n${pem('BBBB')}`),
    aBundle('b', 'x.example/s', pem('BBBB') + pem('CCCC')),
    aBundle('c', '', pem('DDDD')),
  ];
  const path = 'ca.pem';
  const bySigner = { path, signerName: 'x.example/s' };
  assert.equal(trustAnchors({ path, name: 'c' }, bundles), pem('DDDD'));
  assert.equal(
    trustAnchors({ ...bySigner, labelSelector: {} }, bundles),
    pem('AAAA') + pem('BBBB') + pem('CCCC'),
  );
  const labelSelector = { matchLabels: { of: 'b' } };
  assert.equal(trustAnchors({ ...bySigner, labelSelector }, bundles), pem('BBBB') + pem('CCCC'));
  // Without a selector nothing is meant.
  assert.throws(() => trustAnchors(bySigner, bundles), /no ClusterTrustBundle of signer/);
  assert.throws(() => trustAnchors({ path, name: 'd' }, bundles), /"d" not found/);
  assert.equal(trustAnchors({ path, name: 'd', optional: true }, bundles), '');
});

test('an ephemeral container is started in a running pod, once', { skip }, async () => {
  await using node = new NodeFixture({ privileged: true });
  const pod = aPod('debugged', { containers: [{ name: 'main', command: stays }] });
  const worker = await node.run(pod);
  await node.until(() => node.statusOf('debugged')?.phase === 'Running');
  const look = { name: 'look', command: ['sh', '-c', 'echo seen; exit 3'] };
  worker.update({ ...pod, spec: { ...pod.spec, ephemeralContainers: [look] } });
  const shown = (): ContainerStatus | undefined =>
    (
      node.statusOf('debugged')?.['ephemeralContainerStatuses'] as ContainerStatus[] | undefined
    )?.[0];
  await node.until(() => shown()?.state['terminated'] !== undefined);
  assert.equal(await node.logOf(worker, 'look'), 'seen\n');
  const { exitCode } = (shown()?.state['terminated'] ?? {}) as { readonly exitCode?: number };
  assert.equal(exitCode, 3);
  // A successor knows of it, and it does not run again.
  await node.restart();
  const again = await node.run(worker.pod);
  again.input({ kind: 'tick' });
  assert.equal(shown()?.restartCount, 0);
  assert.equal(again.status().phase, 'Running');
});
