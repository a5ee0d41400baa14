// Feeds resourcequota/core.ts with quotas, and with the objects of the kinds that they count.
import { same } from '#base/same.ts';
import { keyOf } from '#kube/client/informer-store.ts';
import { pods, resourceQuotas } from '#kube/client/resources.ts';
import { nothing } from '#kube/controllers/effects.ts';
import {
  byNamespace,
  Controller,
  indexNamespaces,
  type ControllerServices,
} from '#kube/controllers/frame.ts';
import type { GroupVersionResource, KubeObject } from '#kube/meta/object.ts';
import { matchingNames } from '#kube/meta/quota.ts';
import { maybeOfDevices } from '#kube/meta/quota-devices.ts';
import { reconcileQuota, type Counted } from './core.ts';

const core = (resource: string): GroupVersionResource => ({ group: '', version: 'v1', resource });

/** Asked for when a quota counts them; pods are followed. */
const listed: readonly GroupVersionResource[] = [
  core('services'),
  core('configmaps'),
  core('secrets'),
  core('persistentvolumeclaims'),
  core('replicationcontrollers'),
  core('resourcequotas'),
  core('endpoints'),
  core('serviceaccounts'),
  { group: 'apps', version: 'v1', resource: 'deployments' },
  { group: 'apps', version: 'v1', resource: 'replicasets' },
  { group: 'apps', version: 'v1', resource: 'statefulsets' },
  { group: 'apps', version: 'v1', resource: 'daemonsets' },
  { group: 'batch', version: 'v1', resource: 'jobs' },
  { group: 'batch', version: 'v1', resource: 'cronjobs' },
  { group: 'networking.k8s.io', version: 'v1', resource: 'ingresses' },
];

const device = (resource: string): GroupVersionResource => ({
  group: 'resource.k8s.io',
  version: 'v1',
  resource,
});

export function resourceQuotaController(services: ControllerServices): Controller {
  const { informers, client } = services;
  const quotas = informers.informer(resourceQuotas);
  const all = informers.informer(pods);
  indexNamespaces(quotas);
  indexNamespaces(all);

  /** By key: the version of a quota that was there at the last look. */
  const lookedAt = new Map<string, string>();

  const count = async (quota: KubeObject): Promise<Counted[]> => {
    const { namespace = '' } = quota.metadata;
    const names = Object.keys((quota['spec']?.hard ?? {}) as object);
    const found: Counted[] = [
      { group: '', resource: 'pods', objects: all.byIndex(byNamespace, namespace) },
    ];
    for (const one of listed) {
      if (matchingNames(one, names).length === 0) continue;
      const { group, resource } = one;
      const { items } = await client.list(one, { namespace });
      found.push({ group, resource, objects: items });
    }
    if (!names.some(maybeOfDevices)) return found;
    const { items: classes } = await client.list(device('deviceclasses'), {});
    const { items: claims } = await client.list(device('resourceclaims'), { namespace });
    const devices = { classes, claims, pods: all.byIndex(byNamespace, namespace) };
    found.push({ ...device('resourceclaims'), objects: claims, devices });
    return found;
  };

  const controller = new Controller(
    {
      name: 'resourcequota',
      component: 'controllermanager',
      needs: [quotas, all],
      keys: () => quotas.list().map(keyOf),
      reconcile: async (key) => {
        const quota = quotas.get(key);
        if (quota === undefined || quota.metadata.deletionTimestamp !== undefined) {
          lookedAt.delete(key);
          return nothing;
        }
        const { resourceVersion = '' } = quota.metadata;
        const isCharged = lookedAt.get(key) !== resourceVersion;
        const decision = reconcileQuota(quota, await count(quota), isCharged);
        lookedAt.set(key, resourceVersion);
        return decision;
      },
    },
    services,
  );
  // Its status is written here and by admission, which charges a quota before it stores what it is charged for.
  quotas.addHandler({
    onAdd: (quota) => controller.enqueue(keyOf(quota)),
    onUpdate: (old, quota) => {
      if (!same(old['spec'], quota['spec'])) controller.enqueue(keyOf(quota));
    },
    onDelete: (quota) => controller.enqueue(keyOf(quota)),
  });
  const enqueueFor = (pod: KubeObject): void => {
    for (const quota of quotas.byIndex(byNamespace, pod.metadata.namespace ?? '')) {
      controller.enqueue(keyOf(quota));
    }
  };
  all.addHandler({
    onUpdate: (old, pod) => {
      if (old['status']?.phase !== pod['status']?.phase) enqueueFor(pod);
    },
    onDelete: enqueueFor,
  });
  return controller;
}
