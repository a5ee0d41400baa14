// Feeds statefulset/core.ts.
import { keyOf } from '#kube/client/informer-store.ts';
import {
  controllerRevisions,
  persistentVolumeClaims,
  pods,
  statefulSets,
} from '#kube/client/resources.ts';
import { nothing } from '#kube/controllers/effects.ts';
import {
  candidatesOf,
  Controller,
  followOwn,
  followOwned,
  indexOwned,
  type ControllerServices,
} from '#kube/controllers/frame.ts';
import { reconcileStatefulSet } from './core.ts';

export function statefulSetController(services: ControllerServices): Controller {
  const { informers } = services;
  const sets = informers.informer(statefulSets);
  const owned = informers.informer(pods);
  const revisions = informers.informer(controllerRevisions);
  const claims = informers.informer(persistentVolumeClaims);
  indexOwned(revisions);
  const controller = new Controller(
    {
      name: 'statefulset',
      component: 'statefulset-controller',
      needs: [sets, owned, revisions, claims],
      keys: () => sets.list().map(keyOf),
      reconcile: (key, now) => {
        const set = sets.get(key);
        if (set === undefined) return nothing;
        const { namespace } = set.metadata;
        return reconcileStatefulSet(
          {
            set,
            pods: candidatesOf(owned, set),
            revisions: candidatesOf(revisions, set),
            hasClaim: (name) => claims.get(`${namespace}/${name}`) !== undefined,
            isCurrent: controller.expectations.isSatisfied(key),
          },
          now,
        );
      },
    },
    services,
  );
  followOwn(sets, controller);
  followOwned({ kind: 'StatefulSet', owned, adopters: sets }, controller);
  return controller;
}
