// Feeds ttl/core.ts: a node is looked at when it changes, all are when there are many more or fewer.
import { keyOf } from '#kube/client/informer-store.ts';
import { nodes } from '#kube/client/resources.ts';
import { nothing } from '#kube/controllers/effects.ts';
import { Controller, followOwn, type ControllerServices } from '#kube/controllers/frame.ts';
import { reconcileTtl, stepFor } from './core.ts';

export function ttlController(services: ControllerServices): Controller {
  const machines = services.informers.informer(nodes);
  let count = 0;
  let step = 0;
  const controller = new Controller(
    {
      name: 'ttl',
      component: 'ttl-controller',
      needs: [machines],
      keys: () => machines.list().map(keyOf),
      reconcile: (name) => {
        const node = machines.get(name);
        return node === undefined ? nothing : reconcileTtl(node, step);
      },
    },
    services,
  );
  followOwn(machines, controller);
  const counted = (change: number): void => {
    count += change;
    const before = step;
    step = stepFor(count, before);
    // Upstream waits for the nodes' heartbeats, which not all of ours have.
    if (step !== before) for (const node of machines.list()) controller.enqueue(keyOf(node));
  };
  machines.addHandler({ onAdd: () => counted(1), onDelete: () => counted(-1) });
  return controller;
}
