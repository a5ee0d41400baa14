// Values that nobody can read, of every resource: the server starts all the same, and takes up what is mended.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sendStep } from '#test/support/step-player.ts';
import { startOwnServer } from '#test/support/step-target.ts';
import { eventually } from '#test/support/cluster.ts';
import { builtinResources } from '#kube/types/registry.ts';
import { MemoryStore } from '#store/memory-store.ts';
import { resourcePrefix } from './object-store.ts';

const put = async (store: MemoryStore, key: string, value: string): Promise<void> => {
  const op = { kind: 'put', key, value: Buffer.from(value) } as const;
  await store.txn({ compare: [], then: [op] });
};

const definition = (name: string, group: string): string => {
  const names = { kind: 'Widget', listKind: 'WidgetList', plural: 'widgets', singular: 'widget' };
  const schema = { openAPIV3Schema: { type: 'object' } };
  const condition = (type: string) => ({
    type,
    status: 'True',
    reason: 'x',
    message: '',
    lastTransitionTime: '2026-01-01T00:00:00Z',
  });
  return JSON.stringify({
    kind: 'CustomResourceDefinition',
    apiVersion: 'apiextensions.k8s.io/v1',
    metadata: { name, uid: name, creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: {
      group,
      names,
      scope: 'Cluster',
      conversion: { strategy: 'None' },
      versions: [{ name: 'v1', served: true, storage: true, schema }],
    },
    status: {
      acceptedNames: names,
      storedVersions: ['v1'],
      conditions: [condition('NamesAccepted'), condition('Established')],
    },
  });
};

const DEFINITIONS = '/registry/apiextensions.k8s.io/customresourcedefinitions/';

test('the server starts whatever cannot be read, and takes up what is mended', async () => {
  const store = new MemoryStore();
  const prefixes = new Set(builtinResources().map((info) => resourcePrefix(info)));
  // Lists of flow schemas are what the start of a server is waited for with.
  prefixes.delete('/registry/flowschemas/');
  for (const prefix of prefixes) {
    for (const name of ['bad', 'default/bad', 'kube-system/bad']) {
      await put(store, `${prefix}${name}`, 'bogus data');
    }
  }
  await put(store, `${DEFINITIONS}widgets.good.io`, definition('widgets.good.io', 'good.io'));
  await put(store, `${DEFINITIONS}widgets.bad.io`, '{"kind":"CustomResourceDefinition"');
  const own = await startOwnServer({ store });
  try {
    const statusOf = async (path: string): Promise<number> =>
      (await sendStep(own.target, { name: path, method: 'GET', path })).status;
    assert.equal(await statusOf('/readyz'), 200);
    assert.equal(await statusOf('/apis/good.io/v1/widgets'), 200);
    assert.equal(await statusOf('/apis/bad.io/v1/widgets'), 404);
    assert.equal(await statusOf('/apis/apiextensions.k8s.io/v1/customresourcedefinitions'), 500);
    await put(store, `${DEFINITIONS}widgets.bad.io`, definition('widgets.bad.io', 'bad.io'));
    await eventually('the definition is taken up', async () =>
      (await statusOf('/apis/bad.io/v1/widgets')) === 200 ? true : undefined,
    );
  } finally {
    await own.close();
  }
});
