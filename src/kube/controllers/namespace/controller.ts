// Empties namespaces that are going, of every kind that discovery names, then lets them go.
import { hasReason, type KubeClient } from '#kube/client/client.ts';
import { discover, type DiscoveredResource } from '#kube/client/discovery.ts';
import { keyOf } from '#kube/client/informer-store.ts';
import { namespaces, pods } from '#kube/client/resources.ts';
import { nothing, statusUpdate, type Decision, type Effect } from '#kube/controllers/effects.ts';
import { Controller, followOwn, type ControllerServices } from '#kube/controllers/frame.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { emptyingConditions, type Remaining } from './core.ts';

const FINALIZER = 'kubernetes';
const RETRY_MS = 100;
const RETRY_MS_MAX = 5_000;

const isPods = ({ group, resource }: DiscoveredResource): boolean =>
  group === '' && resource === 'pods';

/**
 * Deletes what is there and counts what stays. Pods end in their own time, and until then they keep what they
 * may need: configuration, accounts, policies (OrderedNamespaceDeletion).
 */
async function empty(
  client: KubeClient,
  namespace: string,
  resources: readonly DiscoveredResource[],
): Promise<Remaining> {
  const counts = new Map<string, number>();
  const finalizers = new Map<string, number>();
  let deletionFailure: string | undefined;
  const work = async (resource: DiscoveredResource): Promise<void> => {
    try {
      const before = await client.list(resource, { namespace, isMetadataOnly: true });
      if (before.items.length === 0) return;
      await client.deleteCollection(resource, { namespace }, { propagationPolicy: 'Background' });
      const { items } = await client.list(resource, { namespace, isMetadataOnly: true });
      if (items.length === 0) return;
      counts.set(`${resource.resource}.${resource.group}`, items.length);
      for (const name of items.flatMap(({ metadata }) => metadata.finalizers ?? [])) {
        finalizers.set(name, (finalizers.get(name) ?? 0) + 1);
      }
    } catch (error) {
      // The kind itself may be going.
      if (hasReason(error, 'NotFound', 'MethodNotAllowed')) return;
      deletionFailure = (error as Error).message;
    }
  };
  await Promise.all(resources.filter(isPods).map(work));
  const isFirstDone = counts.size === 0 && deletionFailure === undefined;
  if (isFirstDone) await Promise.all(resources.filter((one) => !isPods(one)).map(work));
  return { counts, finalizers, deletionFailure };
}

function isEmptied({ verbs, isNamespaced }: DiscoveredResource): boolean {
  return isNamespaced && verbs.includes('list') && verbs.includes('deletecollection');
}

export function namespaceController(services: ControllerServices): Controller {
  const { client, informers } = services;
  const all = informers.informer(namespaces);
  const attempts = new Map<string, number>();

  const release = (space: KubeObject): Effect => {
    const left = ((space['spec']?.finalizers ?? []) as string[]).filter((one) => one !== FINALIZER);
    const object = { ...space, spec: { ...space['spec'], finalizers: left } };
    return { kind: 'update', resource: namespaces, object, subresource: 'finalize' };
  };

  const reconcile = async (name: string, now: number): Promise<Decision> => {
    const space = all.get(name);
    if (space?.metadata.deletionTimestamp === undefined) {
      attempts.delete(name);
      return nothing;
    }
    if (!((space['spec']?.finalizers ?? []) as string[]).includes(FINALIZER)) return nothing;
    const resources = (await discover(client)).filter(isEmptied);
    const remaining = await empty(client, name, resources);
    const isEmpty = remaining.counts.size === 0 && remaining.deletionFailure === undefined;
    if (isEmpty) return { effects: [release(space)] };
    const conditions = emptyingConditions(space, remaining, now);
    const status = { ...space['status'], phase: 'Terminating', conditions };
    const attempt = attempts.get(name) ?? 0;
    attempts.set(name, attempt + 1);
    return {
      effects: statusUpdate(namespaces, space, status),
      againInMs: Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** attempt),
    };
  };

  const controller = new Controller(
    {
      name: 'namespace',
      component: 'namespace-controller',
      needs: [all],
      keys: () => all.list().map(keyOf),
      reconcile,
    },
    services,
  );
  followOwn(all, controller);
  // The last pod to go is what most namespaces wait for.
  informers.informer(pods).addHandler({
    onDelete: ({ metadata: { namespace = '' } }) => {
      if (all.get(namespace)?.metadata.deletionTimestamp !== undefined)
        controller.enqueue(namespace);
    },
  });
  return controller;
}
