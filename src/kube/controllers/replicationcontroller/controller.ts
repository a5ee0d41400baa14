// Feeds replicas-core.ts with ReplicationControllers, whose selectors are plain labels.
import { replicationControllers } from '#kube/client/resources.ts';
import type { Controller, ControllerServices } from '#kube/controllers/frame.ts';
import { ownedPodsController } from '#kube/controllers/owned-pods.ts';
import { labelSelectorFromObject } from '#kube/meta/selectors.ts';
import { reconcileReplicaSet } from '#kube/controllers/replicas-core.ts';

export function replicationControllerController(services: ControllerServices): Controller {
  return ownedPodsController(
    {
      name: 'replicationcontroller',
      component: 'replication-controller',
      kind: 'ReplicationController',
      resource: replicationControllers,
      selectorOf: (set) =>
        labelSelectorFromObject({ matchLabels: set['spec'].selector ?? {} }) ?? [],
      reconcile: reconcileReplicaSet,
    },
    services,
  );
}
