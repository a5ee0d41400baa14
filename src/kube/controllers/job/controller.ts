// Feeds job/core.ts.
import { keyOf } from '#kube/client/informer-store.ts';
import { jobs, pods } from '#kube/client/resources.ts';
import type { Effect } from '#kube/controllers/effects.ts';
import {
  candidatesOf,
  Controller,
  followOwn,
  followOwned,
  type ControllerServices,
} from '#kube/controllers/frame.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { controllerOf } from '#kube/controllers/owners.ts';
import { reconcileJob, releases, TRACKING } from './core.ts';

const byTrackedJob = 'tracked-job';

/** In the place of a job's name: pods that are tracked, and nobody's. */
const NOBODY = '';

function trackedJobs(pod: KubeObject): string[] {
  if (pod.metadata.finalizers?.includes(TRACKING) !== true) return [];
  const owner = controllerOf(pod);
  const isOther = owner !== undefined && owner.kind !== 'Job';
  return isOther ? [] : [`${pod.metadata.namespace}/${owner?.name ?? NOBODY}`];
}

/** Pods whose job is gone are held by nobody any more. */
function strayEffects(tracked: readonly KubeObject[], job: KubeObject | undefined): Effect[] {
  return releases(tracked.filter((pod) => controllerOf(pod)?.uid !== job?.metadata.uid));
}

export function jobController(services: ControllerServices): Controller {
  const { informers } = services;
  const all = informers.informer(jobs);
  const owned = informers.informer(pods);
  owned.addIndexers({ [byTrackedJob]: trackedJobs });
  const controller = new Controller(
    {
      name: 'job',
      component: 'job-controller',
      needs: [all, owned],
      keys: () => all.list().map(keyOf),
      reconcile: (key, now) => {
        if (key.endsWith(`/${NOBODY}`)) {
          return { effects: releases(owned.byIndex(byTrackedJob, key)) };
        }
        const job = all.get(key);
        const orphans = strayEffects(owned.byIndex(byTrackedJob, key), job);
        if (job === undefined) return { effects: orphans };
        const isCurrent = controller.expectations.isSatisfied(key);
        const decision = reconcileJob({ job, pods: candidatesOf(owned, job), isCurrent }, now);
        return { ...decision, effects: [...orphans, ...decision.effects] };
      },
    },
    services,
  );
  followOwn(all, controller);
  const letGo = (pod: KubeObject): void => {
    if (controllerOf(pod) !== undefined) return;
    for (const key of trackedJobs(pod)) controller.enqueue(key);
  };
  owned.addHandler({ onAdd: letGo, onUpdate: (_old, next) => letGo(next) });
  followOwned({ kind: 'Job', owned, adopters: all }, controller);
  return controller;
}
