// Feeds endpoints/core.ts: a service is looked at when it, its pods, or what was made for it changes.
import { keyOf, splitKey } from '#kube/client/informer-store.ts';
import { endpoints, endpointSlices, nodes, pods, services } from '#kube/client/resources.ts';
import { type Decision } from '#kube/controllers/effects.ts';
import { same } from '#base/same.ts';
import {
  byNamespace,
  Controller,
  followOwn,
  indexNamespaces,
  type ControllerServices,
} from '#kube/controllers/frame.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { MANAGER, reconcileService } from './core.ts';
import { MANAGED_BY, SERVICE_NAME } from './slices.ts';

const byService = 'service';

function selects(service: KubeObject, pod: KubeObject): boolean {
  const selector = Object.entries((service['spec']?.selector ?? {}) as Record<string, string>);
  return (
    selector.length > 0 && selector.every(([key, value]) => pod.metadata.labels?.[key] === value)
  );
}

function sliceKey(slice: KubeObject): string | undefined {
  const { labels, namespace } = slice.metadata;
  const name = labels?.[SERVICE_NAME];
  return name === undefined ? undefined : `${namespace}/${name}`;
}

/** What of a pod shows in endpoints. */
function isRelevant(old: KubeObject, pod: KubeObject): boolean {
  const view = ({ metadata, spec, status }: KubeObject): unknown => [
    metadata.labels,
    metadata.deletionTimestamp,
    spec?.nodeName,
    status?.podIP,
    status?.podIPs,
    status?.phase,
    status?.conditions?.find((one: { type: string }) => one.type === 'Ready')?.status,
  ];
  return !same(view(old), view(pod));
}

export function endpointsController(context: ControllerServices): Controller {
  const { informers } = context;
  const all = informers.informer(services);
  const backends = informers.informer(pods);
  const slices = informers.informer(endpointSlices);
  const wholes = informers.informer(endpoints);
  const machines = informers.informer(nodes);
  indexNamespaces(all);
  indexNamespaces(backends);
  slices.addIndexers({ [byService]: (slice) => [sliceKey(slice) ?? ''] });

  const reconcile = (key: string, now: number): Decision => {
    const service = all.get(key);
    const own = wholes.get(key);
    if (service === undefined) {
      // Slices have an owner and go by themselves; Endpoints have none.
      const isOrphan = own?.metadata.labels?.['endpoints.kubernetes.io/managed-by'] !== undefined;
      const effects = isOrphan
        ? [{ kind: 'delete', resource: endpoints, object: own } as const]
        : [];
      return { effects };
    }
    const { namespace = '' } = splitKey(key);
    const snapshot = {
      service,
      pods: backends.byIndex(byNamespace, namespace).filter((pod) => selects(service, pod)),
      slices: slices.byIndex(byService, key),
      endpoints: own,
      nodes: (name: string) => machines.get(name),
    };
    return reconcileService(snapshot, now, controller.expectations.isSatisfied(key));
  };

  const controller = new Controller(
    {
      name: 'endpoints',
      component: 'endpoint-slice-controller',
      needs: [all, backends, slices, wholes, machines],
      keys: () => [...all.list(), ...wholes.list()].map(keyOf),
      reconcile,
    },
    context,
  );
  followOwn(all, controller);
  const enqueueFor = (pod: KubeObject): void => {
    for (const service of all.byIndex(byNamespace, pod.metadata.namespace ?? '')) {
      if (selects(service, pod)) controller.enqueue(keyOf(service));
    }
  };
  backends.addHandler({
    onAdd: enqueueFor,
    onUpdate: (old, pod) => {
      if (!isRelevant(old, pod)) return;
      enqueueFor(pod);
      enqueueFor(old);
    },
    onDelete: enqueueFor,
  });
  const onSlice = (slice: KubeObject): void => {
    const key = sliceKey(slice);
    const isManaged = slice.metadata.labels?.[MANAGED_BY] === MANAGER;
    if (key !== undefined && isManaged) controller.enqueue(key);
  };
  slices.addHandler({
    onAdd: (slice) => {
      const key = sliceKey(slice);
      if (key !== undefined) controller.expectations.creationObserved(key);
      onSlice(slice);
    },
    onUpdate: (_old, slice) => onSlice(slice),
    onDelete: onSlice,
  });
  wholes.addHandler({
    onUpdate: (_old, one) => controller.enqueue(keyOf(one)),
    onDelete: (one) => controller.enqueue(keyOf(one)),
  });
  return controller;
}
