// The shell of the kinds that keep a number of like pods: ReplicaSet and ReplicationController. It finds
// their pods, and remembers for the status why pods could not be made.
import { keyOf } from '#kube/client/informer-store.ts';
import { pods } from '#kube/client/resources.ts';
import type { GroupVersionResource, KubeObject } from '#kube/meta/object.ts';
import type { LabelSelector } from '#kube/meta/selectors.ts';
import { nothing, type Decision } from './effects.ts';
import {
  byNamespace,
  candidatesOf,
  Controller,
  followOwn,
  followOwned,
  type ControllerServices,
} from './frame.ts';
import { controllerOf } from './owners.ts';

export interface OwnedPodsSnapshot {
  readonly set: KubeObject;
  readonly resource: GroupVersionResource;
  readonly selector: LabelSelector;
  readonly pods: readonly KubeObject[];
  readonly related: readonly KubeObject[];
  readonly isCurrent: boolean;
  readonly failure: { readonly reason: string; readonly message: string } | undefined;
}

export interface OwnedPodsOptions {
  readonly name: string;
  readonly component: string;
  readonly kind: string;
  readonly resource: GroupVersionResource;
  readonly selectorOf: (set: KubeObject) => LabelSelector;
  readonly reconcile: (snapshot: OwnedPodsSnapshot, now: number) => Decision;
}

export function ownedPodsController(
  options: OwnedPodsOptions,
  services: ControllerServices,
): Controller {
  const { name, component, kind, resource, selectorOf, reconcile } = options;
  const sets = services.informers.informer(resource);
  const owned = services.informers.informer(pods);
  const failures = new Map<string, { reason: string; message: string }>();
  /** Sets that share an owner share their pods' ranks. */
  const relatedTo = (set: KubeObject): KubeObject[] => {
    const uid = controllerOf(set)?.uid;
    const siblings =
      uid === undefined
        ? [set]
        : sets
            .byIndex(byNamespace, set.metadata.namespace ?? '')
            .filter((one) => controllerOf(one)?.uid === uid);
    return siblings.flatMap((one) => candidatesOf(owned, one));
  };
  const controller = new Controller(
    {
      name,
      component,
      needs: [sets, owned],
      keys: () => sets.list().map(keyOf),
      onFailure: (key, effect, message) => {
        if (effect === undefined) failures.delete(key);
        else
          failures.set(key, {
            reason: effect === 'create' ? 'FailedCreate' : 'FailedDelete',
            message,
          });
      },
      reconcile: (key, now) => {
        const set = sets.get(key);
        if (set === undefined) {
          failures.delete(key);
          return nothing;
        }
        const snapshot = {
          set,
          resource,
          selector: selectorOf(set),
          pods: candidatesOf(owned, set),
          related: relatedTo(set),
          isCurrent: controller.expectations.isSatisfied(key),
          failure: failures.get(key),
        };
        return reconcile(snapshot, now);
      },
    },
    services,
  );
  followOwn(sets, controller);
  followOwned({ kind, owned, adopters: sets, selectorOf }, controller);
  return controller;
}
