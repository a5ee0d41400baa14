// Feeds daemonset/core.ts: a set is looked at when it, its pods or any node changes.
import { keyOf } from '#kube/client/informer-store.ts';
import { controllerRevisions, daemonSets, nodes, pods } from '#kube/client/resources.ts';
import { nothing } from '#kube/controllers/effects.ts';
import {
  candidatesOf,
  Controller,
  followOwn,
  followOwned,
  indexOwned,
  type ControllerServices,
} from '#kube/controllers/frame.ts';
import { same } from '#base/same.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { reconcileDaemonSet } from './core.ts';

/** What of a node decides about daemon pods. */
function isRelevant(old: KubeObject, node: KubeObject): boolean {
  return (
    !same(old.metadata.labels, node.metadata.labels) ||
    !same(old['spec']?.taints, node['spec']?.taints)
  );
}

export function daemonSetController(services: ControllerServices): Controller {
  const { informers } = services;
  const sets = informers.informer(daemonSets);
  const owned = informers.informer(pods);
  const machines = informers.informer(nodes);
  const revisions = informers.informer(controllerRevisions);
  indexOwned(revisions);
  const keys = (): string[] => sets.list().map(keyOf);
  const controller = new Controller(
    {
      name: 'daemonset',
      component: 'daemonset-controller',
      needs: [sets, owned, machines, revisions],
      keys,
      reconcile: (key, now) => {
        const set = sets.get(key);
        if (set === undefined) return nothing;
        return reconcileDaemonSet(
          {
            set,
            nodes: machines.list(),
            pods: candidatesOf(owned, set),
            revisions: candidatesOf(revisions, set),
            isCurrent: controller.expectations.isSatisfied(key),
          },
          now,
        );
      },
    },
    services,
  );
  followOwn(sets, controller);
  followOwned({ kind: 'DaemonSet', owned, adopters: sets }, controller);
  const enqueueAll = (): void => keys().forEach((key) => controller.enqueue(key));
  machines.addHandler({
    onAdd: enqueueAll,
    onUpdate: (old, node) => {
      if (isRelevant(old, node)) enqueueAll();
    },
    onDelete: enqueueAll,
  });
  return controller;
}
