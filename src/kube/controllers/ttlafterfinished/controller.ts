// Deletes jobs that have been finished for as long as they asked to be kept.
import { keyOf } from '#kube/client/informer-store.ts';
import { jobs } from '#kube/client/resources.ts';
import { findCondition, type Condition } from '#kube/meta/conditions.ts';
import { nothing, type Decision } from '#kube/controllers/effects.ts';
import { Controller, followOwn, type ControllerServices } from '#kube/controllers/frame.ts';
import type { KubeObject } from '#kube/meta/object.ts';

export function expireJob(job: KubeObject, now: number): Decision {
  const seconds = job['spec'].ttlSecondsAfterFinished;
  if (seconds === undefined || seconds === null) return nothing;
  if (job.metadata.deletionTimestamp !== undefined) return nothing;
  const conditions = (job['status']?.conditions ?? []) as Condition[];
  const end = [findCondition(conditions, 'Complete'), findCondition(conditions, 'Failed')].find(
    (one) => one?.status === 'True',
  );
  if (end === undefined) return nothing;
  const dueInMs = Date.parse(end.lastTransitionTime ?? '') + Number(seconds) * 1_000 - now;
  if (dueInMs > 0) return { effects: [], againInMs: dueInMs };
  const propagationPolicy = 'Foreground';
  return { effects: [{ kind: 'delete', resource: jobs, object: job, propagationPolicy }] };
}

export function ttlAfterFinishedController(services: ControllerServices): Controller {
  const all = services.informers.informer(jobs);
  const controller = new Controller(
    {
      name: 'ttlafterfinished',
      component: 'ttl-after-finished-controller',
      needs: [all],
      keys: () => all.list().map(keyOf),
      reconcile: (key, now) => {
        const job = all.get(key);
        return job === undefined ? nothing : expireJob(job, now);
      },
    },
    services,
  );
  followOwn(all, controller);
  return controller;
}
