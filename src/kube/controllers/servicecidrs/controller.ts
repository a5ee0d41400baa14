// Ranges of service addresses, looked at whenever a range or an address comes or goes.
import { keyOf } from '#kube/client/informer-store.ts';
import { ipAddresses, serviceCidrs } from '#kube/client/resources.ts';
import { nothing } from '#kube/controllers/effects.ts';
import { Controller, followOwn, type ControllerServices } from '#kube/controllers/frame.ts';
import { reconcileRange } from './core.ts';

export function serviceCidrController(services: ControllerServices): Controller {
  const ranges = services.informers.informer(serviceCidrs);
  const addresses = services.informers.informer(ipAddresses);
  const { clock } = services.env;
  const controller = new Controller(
    {
      name: 'servicecidrs',
      component: 'service-cidr-controller',
      needs: [ranges, addresses],
      keys: () => ranges.list().map(keyOf),
      reconcile: (key) => {
        const range = ranges.get(key);
        if (range === undefined) return nothing;
        const ms = clock.now();
        const text = new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
        const others = { all: ranges.list(), addresses: addresses.list() };
        return reconcileRange(serviceCidrs, range, others, { ms, text });
      },
    },
    services,
  );
  followOwn(ranges, controller);
  // Only what is going waits for others.
  const enqueueGoing = (): void => {
    for (const range of ranges.list())
      if (range.metadata.deletionTimestamp !== undefined) controller.enqueue(keyOf(range));
  };
  ranges.addHandler({ onAdd: enqueueGoing, onDelete: enqueueGoing });
  addresses.addHandler({ onDelete: enqueueGoing });
  return controller;
}
