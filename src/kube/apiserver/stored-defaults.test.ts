// What a store holds from before there were some of the defaults is read with them, in whatever way it is read.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSimEnv, startInProcessApi } from '#test/support/in-process-api.ts';
import {
  daemonSets,
  deployments,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  replicaSets,
  secrets,
  serviceAccounts,
  services,
  statefulSets,
} from '#kube/client/resources.ts';
import type { KubeClient } from '#kube/client/client.ts';
import { apiVersionOf, type GroupVersionResource, type KubeObject } from '#kube/meta/object.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { decodeMessage, encodeEnvelope, messageOf } from '#kube/types/protobuf.ts';
import { TypeRegistry } from '#kube/types/registry.ts';
import {
  jsonBytes,
  jsonItems,
  objectFor,
  objectKey,
  protobufBytes,
  serialize,
} from './object-store.ts';
import { isWhole } from './stored-defaults.ts';

const labels = { app: 'a' };
const template = { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i:1' }] } };
const workload = { selector: { matchLabels: labels }, template };
// As Go writes it.
const dataSource = { apiGroup: null, kind: 'PersistentVolumeClaim', name: 'b' };
const claim = {
  accessModes: ['ReadWriteOnce'],
  resources: { requests: { storage: '1Gi' } },
  dataSource,
};
const volume = {
  accessModes: ['ReadWriteOnce'],
  capacity: { storage: '1Gi' },
  hostPath: { path: '/a' },
};

interface Case {
  readonly gvr: GroupVersionResource;
  readonly fields: Record<string, unknown>;
  /** Defaults of the spec. */
  readonly wanted: Record<string, unknown>;
  /** The kind has no spec. */
  readonly isPlain?: boolean;
}

const cases: readonly Case[] = [
  {
    gvr: persistentVolumeClaims,
    fields: { spec: claim },
    wanted: { volumeMode: 'Filesystem' },
  },
  {
    gvr: persistentVolumes,
    fields: { spec: volume },
    wanted: { volumeMode: 'Filesystem', persistentVolumeReclaimPolicy: 'Retain' },
  },
  {
    gvr: services,
    fields: { spec: { clusterIP: 'None', ports: [{ port: 80 }] } },
    wanted: {
      clusterIPs: ['None'],
      internalTrafficPolicy: 'Cluster',
      ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
      sessionAffinity: 'None',
      type: 'ClusterIP',
    },
  },
  {
    gvr: pods,
    fields: { spec: { containers: [{ name: 'c', image: 'i:1' }] } },
    wanted: { enableServiceLinks: true, restartPolicy: 'Always' },
  },
  {
    gvr: deployments,
    fields: { spec: workload },
    wanted: { replicas: 1, progressDeadlineSeconds: 600, revisionHistoryLimit: 10 },
  },
  { gvr: replicaSets, fields: { spec: workload }, wanted: { replicas: 1 } },
  {
    gvr: statefulSets,
    fields: { spec: { ...workload, serviceName: 's' } },
    wanted: { podManagementPolicy: 'OrderedReady' },
  },
  {
    gvr: daemonSets,
    fields: { spec: workload },
    wanted: { revisionHistoryLimit: 10 },
  },
  { gvr: secrets, fields: { data: {} }, wanted: { type: 'Opaque' }, isPlain: true },
];

const infos = new TypeRegistry();
const infoOf = ({ group, version, resource }: GroupVersionResource): ResourceInfo => {
  const info = infos.byResource(group, version, resource);
  assert.ok(info);
  return info;
};

const placeOf = (info: ResourceInfo) => (info.namespaced ? { namespace: 'default' } : {});

function oldObject({ gvr, fields }: Case): KubeObject {
  const info = infoOf(gvr);
  const metadata = {
    name: 'old',
    ...placeOf(info),
    uid: '08675309-9376-9376-9376-086753099999',
    creationTimestamp: '2017-01-01T00:00:00Z',
  };
  return { kind: info.kind, apiVersion: apiVersionOf(info), metadata, ...fields };
}

function check({ wanted, isPlain = false }: Case, found: KubeObject | undefined): void {
  const part = (isPlain ? found : found?.['spec']) as Record<string, unknown>;
  for (const [name, value] of Object.entries(wanted)) assert.deepEqual(part[name], value, name);
}

const json = (object: KubeObject): Buffer => Buffer.from(serialize(object));
const writings: Readonly<Record<string, (object: KubeObject) => Buffer>> = {
  JSON: json,
  'a line of JSON': (object) => Buffer.concat([json(object), Buffer.from('\n')]),
  protobuf: (object) => encodeEnvelope(object) ?? Buffer.alloc(0),
};

for (const one of cases) {
  const info = infoOf(one.gvr);
  for (const [writing, write] of Object.entries(writings)) {
    test(`a ${info.kind} stored as ${writing} without its defaults is read with them`, () => {
      const value = write(oldObject(one));
      const stored = () => ({ key: 'k', value, createRevision: 1, modRevision: 1, version: 1 });
      check(one, objectFor(info, stored()));
      check(one, JSON.parse(jsonBytes(info, stored()).toString()) as KubeObject);
      const list = jsonItems(info, [stored()], Buffer.from('['), ']').toString();
      check(one, (JSON.parse(list) as KubeObject[])[0]);
      const message = messageOf(apiVersionOf(info), info.kind) ?? '';
      const bytes = protobufBytes(info, stored()) ?? Buffer.alloc(0);
      check(one, decodeMessage(message, bytes) as KubeObject);
    });
  }
}

async function firstEvent(client: KubeClient, one: Case): Promise<KubeObject> {
  const end = new AbortController();
  const { promise, resolve } = Promise.withResolvers<KubeObject>();
  const options = { ...placeOf(infoOf(one.gvr)), resourceVersion: '0' };
  const over = client.watch(
    one.gvr,
    options,
    ({ object }) => {
      if (object.metadata.name === 'old') resolve(object);
    },
    end.signal,
  );
  const found = await promise;
  end.abort();
  await over.catch(() => {});
  return found;
}

test('objects that were stored without their defaults are listed, watched and written with them', async () => {
  const api = await startInProcessApi(createSimEnv(1));
  const { client } = api;
  try {
    for (const one of cases) {
      const { gvr } = one;
      const info = infoOf(gvr);
      const place = { ...placeOf(info), name: 'old' };
      const key = objectKey(info, 'default', 'old');
      const value = json(oldObject(one));
      const put = () => api.store.txn({ compare: [], then: [{ kind: 'put', key, value }] });
      await put();
      const { items } = await client.list(gvr, placeOf(info));
      check(
        one,
        items.find(({ metadata }) => metadata.name === 'old'),
      );
      await put();
      check(one, await firstEvent(client, one));
      await put();
      const found = await client.get(gvr, place);
      check(one, found);
      if (one.fields['spec'] === claim) assert.equal(found['spec']?.['dataSourceRef'].name, 'b');
      const metadata = { ...found.metadata, labels: { changed: 'yes' } };
      check(one, await client.update(gvr, { ...found, metadata }));
      await put();
      check(one, await client.update(gvr, oldObject(one)));
      await put();
      const patch = { metadata: { labels: { patched: 'yes' } } };
      check(one, await client.patch(gvr, { ...place, type: 'merge' }, patch));
    }
  } finally {
    api.close();
  }
});

test('what this server has written is whole, and is not parsed to see that', async () => {
  const api = await startInProcessApi(createSimEnv(1));
  const refuse = (): never => assert.fail('it was parsed');
  const account = { name: 'default', namespace: 'default' };
  try {
    await api.client.create(serviceAccounts, {
      kind: 'ServiceAccount',
      apiVersion: 'v1',
      metadata: account,
    });
    for (const one of cases) {
      const metadata = { name: 'old', ...placeOf(infoOf(one.gvr)) };
      await api.client.create(one.gvr, { ...oldObject(one), metadata });
      const kv = await api.store.get(objectKey(infoOf(one.gvr), 'default', 'old'));
      assert.ok(kv);
      assert.equal(isWhole(kv.value, refuse), true);
    }
  } finally {
    api.close();
  }
});
