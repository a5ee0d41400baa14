// Feeds cronjob/core.ts: a CronJob is looked at when its time has come, and when a job of it changes.
import { keyOf } from '#kube/client/informer-store.ts';
import { cronJobs, jobs } from '#kube/client/resources.ts';
import { nothing } from '#kube/controllers/effects.ts';
import {
  candidatesOf,
  Controller,
  followOwn,
  followOwned,
  type ControllerServices,
} from '#kube/controllers/frame.ts';
import { reconcileCronJob } from './core.ts';

export function cronJobController(services: ControllerServices): Controller {
  const { informers } = services;
  const all = informers.informer(cronJobs);
  const owned = informers.informer(jobs);
  const controller = new Controller(
    {
      name: 'cronjob',
      component: 'cronjob-controller',
      needs: [all, owned],
      keys: () => all.list().map(keyOf),
      reconcile: (key, now) => {
        const cron = all.get(key);
        if (cron === undefined) return nothing;
        return reconcileCronJob({ cron, jobs: candidatesOf(owned, cron) }, now);
      },
    },
    services,
  );
  followOwn(all, controller);
  followOwned({ kind: 'CronJob', owned }, controller);
  return controller;
}
