// Feeds disruption/core.ts with budgets, their pods, and the sizes that the pods' controllers want.
import { keyOf } from '#kube/client/informer-store.ts';
import type { Informer } from '#kube/client/informer.ts';
import {
  deployments,
  podDisruptionBudgets,
  pods,
  replicaSets,
  replicationControllers,
  statefulSets,
} from '#kube/client/resources.ts';
import { nothing } from '#kube/controllers/effects.ts';
import {
  byNamespace,
  Controller,
  followOwn,
  indexNamespaces,
  type ControllerServices,
} from '#kube/controllers/frame.ts';
import { controllerOf } from '#kube/controllers/owners.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { labelSelectorFromObject, matchesLabels } from '#kube/meta/selectors.ts';
import { reconcileBudget } from './core.ts';

export function disruptionController(services: ControllerServices): Controller {
  const { informers } = services;
  const budgets = informers.informer(podDisruptionBudgets);
  const all = informers.informer(pods);
  const scaled: Readonly<Record<string, Informer>> = {
    Deployment: informers.informer(deployments),
    ReplicaSet: informers.informer(replicaSets),
    ReplicationController: informers.informer(replicationControllers),
    StatefulSet: informers.informer(statefulSets),
  };
  indexNamespaces(budgets);
  indexNamespaces(all);

  /** The one at the top: a Deployment before its ReplicaSet. */
  const scaleOwner = (object: KubeObject): KubeObject | undefined => {
    const owner = controllerOf(object);
    if (owner === undefined) return undefined;
    const found = scaled[owner.kind]?.get(`${object.metadata.namespace}/${owner.name}`);
    if (found === undefined || found.metadata.uid !== owner.uid) return undefined;
    return scaleOwner(found) ?? found;
  };

  const scaleOf = (mine: readonly KubeObject[]): number | undefined => {
    const owners = new Map<string, number>();
    for (const pod of mine) {
      const owner = scaleOwner(pod);
      if (owner === undefined) return undefined;
      owners.set(owner.metadata.uid ?? '', Number(owner['spec'].replicas ?? 1));
    }
    return [...owners.values()].reduce((sum, replicas) => sum + replicas, 0);
  };

  const isCovered = (budget: KubeObject, pod: KubeObject): boolean => {
    const selector = labelSelectorFromObject(budget['spec'].selector);
    return selector !== undefined && matchesLabels(selector, pod.metadata.labels);
  };

  const controller = new Controller(
    {
      name: 'disruption',
      component: 'controllermanager',
      needs: [budgets, all, ...Object.values(scaled)],
      keys: () => budgets.list().map(keyOf),
      reconcile: (key, now) => {
        const budget = budgets.get(key);
        if (budget === undefined) return nothing;
        const { namespace = '' } = budget.metadata;
        const mine = all.byIndex(byNamespace, namespace).filter((pod) => isCovered(budget, pod));
        return reconcileBudget({ budget, pods: mine, scale: scaleOf(mine) }, now);
      },
    },
    services,
  );
  followOwn(budgets, controller);
  const enqueueFor = (pod: KubeObject): void => {
    for (const budget of budgets.byIndex(byNamespace, pod.metadata.namespace ?? '')) {
      if (isCovered(budget, pod)) controller.enqueue(keyOf(budget));
    }
  };
  all.addHandler({
    onAdd: enqueueFor,
    onUpdate: (_old, pod) => enqueueFor(pod),
    onDelete: enqueueFor,
  });
  for (const informer of Object.values(scaled)) {
    informer.addHandler({
      onUpdate: (old, object) => {
        if (old['spec']?.replicas === object['spec']?.replicas) return;
        const inNamespace = budgets.byIndex(byNamespace, object.metadata.namespace ?? '');
        for (const budget of inNamespace) controller.enqueue(keyOf(budget));
      },
    });
  }
  return controller;
}
