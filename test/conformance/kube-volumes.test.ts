// Volumes and claims under our controllers: bound, released, failed, lost, marked for those who make volumes; and
// the same scene under kube-controller-manager v1.37 on our API server, where it is there.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { parse } from 'yaml';
import { createEnv } from '#env/node/env.ts';
import { startApiServer } from '#kube/apiserver/server.ts';
import { KubeClient } from '#kube/client/client.ts';
import * as known from '#kube/client/resources.ts';
import { startControllers } from '#kube/controllers/run.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { TypeRegistry } from '#kube/types/registry.ts';
import { MemoryStore } from '#store/memory-store.ts';
import { eventually } from '#test/support/cluster.ts';
import { realProgram, skipWithout } from '#test/support/real-kubernetes.ts';

type Json = Record<string, unknown>;

const program = 'kube-controller-manager';
const skip = skipWithout([program]);
const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const namespace = 'default';
const rwo = { accessModes: ['ReadWriteOnce'] };

/** What volumes, claims and events say in the end, without what is drawn. */
async function told(client: KubeClient): Promise<string[]> {
  const said: string[] = [];
  for (const resource of [known.persistentVolumes, known.persistentVolumeClaims]) {
    for (const one of (await client.list(resource)).items) {
      const { name, annotations, finalizers, deletionTimestamp } = one.metadata;
      const { claimRef, volumeName, storageClassName } = one['spec'];
      const { uid, namespace: of, name: to } = (claimRef ?? {}) as Json;
      const { lastPhaseTransitionTime: _time, conditions = [], ...others } = one['status'] as Json;
      const untimed = (conditions as Json[]).map(({ type, status, reason, message }) => {
        return { type, status, reason, message };
      });
      const status = { ...others, conditions: untimed };
      const marks = Object.entries(annotations ?? {})
        .toSorted()
        .join(' ');
      const own = {
        ref: [of, to],
        hasUid: uid !== undefined,
        volumeName,
        storageClassName,
        status,
      };
      const isGoing = deletionTimestamp !== undefined;
      said.push(JSON.stringify({ kind: one.kind, name, marks, finalizers, isGoing, ...own }));
    }
  }
  const texts = new Set<string>();
  for (const event of (await client.list(known.events)).items) {
    const { kind, name } = event['involvedObject'] as Json;
    if (!String(kind).startsWith('PersistentVolume')) continue;
    const { type, reason, message } = event;
    const by = JSON.stringify((event['source'] as Json)['component']);
    texts.add(`${type} ${reason} ${kind}/${name} by ${by}: ${message}`);
  }
  return [...said.toSorted(), ...[...texts].toSorted()];
}

async function play(client: KubeClient): Promise<string[]> {
  const volume = async (name: string, storage: string, more: Json = {}, metadata: Json = {}) =>
    await client.create(known.persistentVolumes, {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name, ...metadata },
      spec: { ...rwo, capacity: { storage }, hostPath: { path: `/volumes/${name}` }, ...more },
    });
  const claim = async (name: string, storage: string, more: Json = {}) => {
    const spec = { ...rwo, storageClassName: '', resources: { requests: { storage } }, ...more };
    const made = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name }, spec };
    await client.create(known.persistentVolumeClaims, made, { namespace });
  };
  const storageClass = async (name: string, provisioner: string, volumeBindingMode = 'Immediate') =>
    await client.create(known.storageClasses, {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: { name },
      provisioner,
      volumeBindingMode,
    });
  const state = async (kind: 'volume' | 'claim', name: string, phase: string): Promise<void> => {
    const resource = kind === 'volume' ? known.persistentVolumes : known.persistentVolumeClaims;
    const place = kind === 'volume' ? { name } : { name, namespace };
    await eventually(`the ${kind} ${name} is ${phase}`, async () => {
      return (await client.get(resource, place))['status']?.phase === phase;
    });
  };
  const heard = async (name: string, reason: string): Promise<void> => {
    await eventually(`an event ${reason} of ${name}`, async () => {
      const { items } = await client.list(known.events);
      return items.some((one) => one['involvedObject'].name === name && one['reason'] === reason);
    });
  };
  const marked = async (name: string): Promise<void> => {
    await eventually(`the claim ${name} is marked`, async () => {
      const found = await client.get(known.persistentVolumeClaims, { name, namespace });
      return found.metadata.annotations?.['volume.kubernetes.io/storage-provisioner'];
    });
  };
  const drop = async (name: string): Promise<unknown> =>
    await client.delete(known.persistentVolumeClaims, { name, namespace });
  const kept = (name: string): Json => ({ claimRef: { namespace, name } });
  const deleted = { persistentVolumeReclaimPolicy: 'Delete' };

  await volume('big', '9Gi');
  await volume('small', '2Gi');
  await volume('tiny', '1Mi');
  for (const name of ['big', 'small', 'tiny']) await state('volume', name, 'Available');
  await claim('data', '1Gi');
  await state('claim', 'data', 'Bound');
  await drop('data');
  await state('volume', 'small', 'Released');

  await volume('kept', '5Gi', kept('own'));
  await state('volume', 'kept', 'Available');
  await claim('own', '1Gi');
  await state('claim', 'own', 'Bound');
  await eventually('nobody uses the claim', async () => {
    const { status } = await client.get(known.persistentVolumeClaims, { name: 'own', namespace });
    return (status.conditions ?? []).length > 0;
  });
  await claim('thief', '1Gi', { volumeName: 'kept' });
  await heard('thief', 'FailedBinding');
  await claim('greedy', '1Gi', { volumeName: 'tiny' });
  await heard('greedy', 'VolumeMismatch');
  await claim('nothing', '1Ti');
  await heard('nothing', 'FailedBinding');

  // Somebody else makes its volume, and deletes it.
  await claim('unknown', '1Gi', { storageClassName: 'unknown' });
  await heard('unknown', 'ProvisioningFailed');
  await storageClass('none', 'kubernetes.io/no-provisioner');
  await claim('none', '1Gi', { storageClassName: 'none' });
  await heard('none', 'ProvisioningFailed');
  await storageClass('moved', 'kubernetes.io/gce-pd');
  await claim('moved', '1Gi', { storageClassName: 'moved' });
  await storageClass('fast', 'example.com/disks');
  await claim('made', '1Gi', { storageClassName: 'fast' });
  for (const name of ['moved', 'made']) {
    await marked(name);
    await heard(name, 'ExternalProvisioning');
  }
  const csi = { hostPath: undefined, csi: { driver: 'example.com', volumeHandle: 'h' } };
  const by = { annotations: { 'pv.kubernetes.io/provisioned-by': 'example.com/disks' } };
  const ofClass = { storageClassName: 'fast', ...deleted };
  await volume('made', '1Gi', { ...csi, ...ofClass, ...kept('made') }, by);
  await state('claim', 'made', 'Bound');
  await drop('made');
  await state('volume', 'made', 'Released');

  // Volumes that nobody can delete.
  const nfs = { hostPath: undefined, nfs: { server: 's', path: '/' } };
  for (const [name, source] of Object.entries({ folder: {}, nfs })) {
    await volume(name, '3Gi', { ...deleted, ...source, ...kept(name) });
    await claim(name, '3Gi');
    await state('claim', name, 'Bound');
    await drop(name);
    await state('volume', name, 'Failed');
    await heard(name, 'VolumeFailedDelete');
  }

  await storageClass('lazy', 'example.com/disks', 'WaitForFirstConsumer');
  await volume('near', '1Gi', { storageClassName: 'lazy' });
  await claim('lazy', '1Gi', { storageClassName: 'lazy' });
  await heard('lazy', 'WaitForFirstConsumer');
  const annotations = { 'volume.kubernetes.io/selected-node': 'a' };
  const place = { name: 'lazy', namespace, type: 'merge' as const };
  await client.patch(known.persistentVolumeClaims, place, { metadata: { annotations } });
  await marked('lazy');
  await heard('lazy', 'ExternalProvisioning');

  const free = { metadata: { finalizers: null } };
  await client.delete(known.persistentVolumes, { name: 'kept' });
  await client.patch(known.persistentVolumes, { name: 'kept', type: 'merge' }, free);
  await state('claim', 'own', 'Lost');
  await heard('own', 'ClaimLost');
  return await told(client);
}

/** On a server of its own, with the controllers that `begin` starts and of which it gives the end. */
async function scene(
  begin: (home: string, client: KubeClient) => () => Promise<void>,
): Promise<string[]> {
  const home = mkdtempSync(join(tmpdir(), 'strata-test-volumes-'));
  const options = { instance: 'default', home, serviceCidr: '10.96.0.0/16' };
  const listen = { host: '127.0.0.1', port: 0 };
  const [store, registry] = [new MemoryStore(), new TypeRegistry()];
  const server = await startApiServer({ ...options, listen, store, registry }, env);
  const kubeconfig = join(home, 'kubeconfig');
  const client = KubeClient.fromKubeconfig(parse(readFileSync(kubeconfig, 'utf8')) as object);
  let end = async (): Promise<void> => {};
  try {
    end = begin(home, client);
    return await play(client);
  } finally {
    await end();
    await client.close();
    await server.close();
    rmSync(home, { recursive: true, force: true });
  }
}

const ours = (): Promise<string[]> =>
  scene((_home, client) => {
    const controllers = startControllers({ client, rootCa: 'PEM' }, env);
    return () => controllers.close();
  });

const theirs = (): Promise<string[]> =>
  scene((home) => {
    const log = openSync(join(home, `${program}.log`), 'w');
    const which = ['binder', 'protection'].map((one) => `persistentvolume-${one}-controller`);
    which.push('persistentvolumeclaim-protection-controller');
    const flags = [
      `--kubeconfig=${join(home, 'kubeconfig')}`,
      `--controllers=${which.join(',')}`,
      '--leader-elect=false',
      '--secure-port=0',
      '--pvclaimbinder-sync-period=1s',
    ];
    const child = spawn(realProgram(program), flags, { stdio: ['ignore', log, log] });
    return async () => {
      child.kill('SIGKILL');
      await new Promise((done) => child.once('exit', done));
    };
  });

const phaseIn = (said: readonly string[], kind: string, name: string): unknown => {
  const found = said
    .filter((one) => one.startsWith('{'))
    .map((one) => JSON.parse(one) as KubeObject & { name: string })
    .find((one) => one.kind === kind && one.name === name);
  return found?.['status'].phase;
};

test('volumes and claims come to their ends', async () => {
  const said = await ours();
  const ends: readonly (readonly [string, string, string])[] = [
    ['PersistentVolume', 'big', 'Available'],
    ['PersistentVolume', 'small', 'Released'],
    ['PersistentVolume', 'folder', 'Failed'],
    ['PersistentVolumeClaim', 'own', 'Lost'],
    ['PersistentVolumeClaim', 'thief', 'Pending'],
    ['PersistentVolumeClaim', 'lazy', 'Pending'],
  ];
  for (const [kind, name, phase] of ends) assert.equal(phaseIn(said, kind, name), phase, name);
});

test('kube-controller-manager brings them to the same', { skip }, async () => {
  const [own, real] = await Promise.all([ours(), theirs()]);
  assert.deepEqual(own, real);
});
