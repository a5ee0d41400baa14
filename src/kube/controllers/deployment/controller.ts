// Feeds deployment/core.ts, and settles collisions of names.
import { keyOf } from '#kube/client/informer-store.ts';
import { deployments, pods, replicaSets } from '#kube/client/resources.ts';
import { nothing, type Decision } from '#kube/controllers/effects.ts';
import {
  byOwner,
  candidatesOf,
  Controller,
  followOwn,
  followOwned,
  indexOwned,
  type ControllerServices,
} from '#kube/controllers/frame.ts';
import { controllerOf, isControlledBy } from '#kube/controllers/owners.ts';
import { isPodOver } from '#kube/controllers/pod-facts.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { reconcileDeployment } from './core.ts';
import { findNewSet } from './sets.ts';

export function deploymentController(services: ControllerServices): Controller {
  const { informers, client } = services;
  const all = informers.informer(deployments);
  const sets = informers.informer(replicaSets);
  const running = informers.informer(pods);
  indexOwned(running);

  /** A set of the wanted name that is another's: the next name is tried. */
  const settleCollisions = async (
    deployment: KubeObject,
    decision: Decision,
  ): Promise<Decision> => {
    const made = decision.effects.find(
      (effect) => effect.kind === 'create' && effect.object.kind === 'ReplicaSet',
    );
    if (made === undefined || made.kind !== 'create') return decision;
    const { namespace, name = '' } = made.object.metadata;
    const there = await client.find(replicaSets, { namespace, name });
    if (there === undefined) return decision;
    // Only the informer is late.
    if (isControlledBy(there, deployment) && findNewSet(deployment, [there]) !== undefined) {
      return { effects: [], againInMs: 50 };
    }
    const collisionCount = Number(deployment['status']?.collisionCount ?? 0) + 1;
    const object = { ...deployment, status: { ...deployment['status'], collisionCount } };
    return {
      effects: [{ kind: 'update', resource: deployments, object, subresource: 'status' }],
    };
  };

  const controller = new Controller(
    {
      name: 'deployment',
      component: 'deployment-controller',
      needs: [all, sets, running],
      keys: () => all.list().map(keyOf),
      reconcile: (key, now) => {
        const deployment = all.get(key);
        if (deployment === undefined) return nothing;
        const hasPods = (of: readonly KubeObject[]): boolean =>
          of.some((set) =>
            running.byIndex(byOwner, set.metadata.uid ?? '').some((pod) => !isPodOver(pod)),
          );
        const snapshot = { deployment, sets: candidatesOf(sets, deployment), hasPods };
        return settleCollisions(deployment, reconcileDeployment(snapshot, now));
      },
    },
    services,
  );
  followOwn(all, controller);
  followOwned({ kind: 'Deployment', owned: sets, adopters: all }, controller);
  // Recreate waits for the last pod of the old sets.
  running.addHandler({
    onDelete: (pod) => {
      const owner = controllerOf(pod);
      const set = sets.get(`${pod.metadata.namespace}/${owner?.name}`);
      const above = set === undefined ? undefined : controllerOf(set);
      if (above?.kind === 'Deployment')
        controller.enqueue(`${pod.metadata.namespace}/${above.name}`);
    },
  });
  return controller;
}
