// Feeds replicas-core.ts with ReplicaSets.
import { replicaSets } from '#kube/client/resources.ts';
import type { Controller, ControllerServices } from '#kube/controllers/frame.ts';
import { ownedPodsController } from '#kube/controllers/owned-pods.ts';
import { labelSelectorFromObject } from '#kube/meta/selectors.ts';
import { reconcileReplicaSet } from '#kube/controllers/replicas-core.ts';

export function replicaSetController(services: ControllerServices): Controller {
  return ownedPodsController(
    {
      name: 'replicaset',
      component: 'replicaset-controller',
      kind: 'ReplicaSet',
      resource: replicaSets,
      selectorOf: (set) => labelSelectorFromObject(set['spec'].selector) ?? [],
      reconcile: reconcileReplicaSet,
    },
    services,
  );
}
