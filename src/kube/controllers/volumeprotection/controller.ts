// Three controllers: of claims, of volumes, of the classes of their attributes.
import { keyOf } from '#kube/client/informer-store.ts';
import {
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  volumeAttributesClasses,
} from '#kube/client/resources.ts';
import { nothing, type Effect } from '#kube/controllers/effects.ts';
import { Controller, followOwn, type ControllerServices } from '#kube/controllers/frame.ts';
import { isPodOver } from '#kube/controllers/pod-facts.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import {
  byClaim,
  claimsOfPod,
  classesOf,
  isClaimUsed,
  isVolumeUsed,
  protect,
  toldUnused,
} from './core.ts';

const byClass = 'volume-attributes-class';

function statusOf(claim: KubeObject): Effect {
  return { kind: 'update', resource: persistentVolumeClaims, object: claim, subresource: 'status' };
}

export function claimProtectionController(services: ControllerServices): Controller {
  const claims = services.informers.informer(persistentVolumeClaims);
  const users = services.informers.informer(pods);
  users.addIndexers({ [byClaim]: claimsOfPod });
  const finalizer = 'kubernetes.io/pvc-protection';
  const controller = new Controller(
    {
      name: 'pvcprotection',
      component: 'pvc-protection-controller',
      needs: [claims, users],
      keys: () => claims.list().map(keyOf),
      reconcile: (key, now) => {
        const claim = claims.get(key);
        if (claim === undefined) return nothing;
        const text = new Date(now).toISOString().replace(/\.\d+Z$/, 'Z');
        const told = toldUnused(claim, users.byIndex(byClaim, key), text);
        if (told !== undefined) return { effects: [statusOf(told)] };
        const isUsed = (): boolean => isClaimUsed(users.byIndex(byClaim, key));
        return protect(persistentVolumeClaims, finalizer, claim, isUsed);
      },
    },
    services,
  );
  followOwn(claims, controller);
  const enqueue = (pod: KubeObject): void => {
    for (const key of claimsOfPod(pod)) controller.enqueue(key);
  };
  users.addHandler({
    onAdd: enqueue,
    onUpdate: (old, pod) => {
      if (isPodOver(old) !== isPodOver(pod)) enqueue(pod);
    },
    onDelete: enqueue,
  });
  return controller;
}

export function volumeProtectionController(services: ControllerServices): Controller {
  const volumes = services.informers.informer(persistentVolumes);
  const finalizer = 'kubernetes.io/pv-protection';
  const controller = new Controller(
    {
      name: 'pvprotection',
      component: 'pv-protection-controller',
      needs: [volumes],
      keys: () => volumes.list().map(keyOf),
      reconcile: (key) => {
        const volume = volumes.get(key);
        if (volume === undefined) return nothing;
        return protect(persistentVolumes, finalizer, volume, () => isVolumeUsed(volume));
      },
    },
    services,
  );
  followOwn(volumes, controller);
  return controller;
}

export function classProtectionController(services: ControllerServices): Controller {
  const classes = services.informers.informer(volumeAttributesClasses);
  const users = [persistentVolumeClaims, persistentVolumes].map((one) =>
    services.informers.informer(one),
  );
  for (const one of users) one.addIndexers({ [byClass]: classesOf });
  const finalizer = 'kubernetes.io/vac-protection';
  const controller = new Controller(
    {
      name: 'vacprotection',
      component: 'volumeattributesclass-protection-controller',
      needs: [classes, ...users],
      keys: () => classes.list().map(keyOf),
      reconcile: (key) => {
        const found = classes.get(key);
        if (found === undefined) return nothing;
        const isUsed = (): boolean => users.some((one) => one.byIndex(byClass, key).length > 0);
        return protect(volumeAttributesClasses, finalizer, found, isUsed);
      },
    },
    services,
  );
  followOwn(classes, controller);
  const enqueue = (object: KubeObject): void => {
    for (const key of classesOf(object)) controller.enqueue(key);
  };
  for (const one of users) one.addHandler({ onUpdate: enqueue, onDelete: enqueue });
  return controller;
}
