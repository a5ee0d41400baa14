// Feeds nodelifecycle/core.ts: a node is looked at when it or a pod's place on it changes.
import { nodes, pods } from '#kube/client/resources.ts';
import { nothing } from '#kube/controllers/effects.ts';
import { Controller, followOwn, type ControllerServices } from '#kube/controllers/frame.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { reconcileNode } from './core.ts';

export const byNode = 'node-name';

export function nodeLifecycleController(services: ControllerServices): Controller {
  const { informers } = services;
  const machines = informers.informer(nodes);
  const placed = informers.informer(pods);
  const nodeOf = (pod: KubeObject): string => String(pod['spec']?.nodeName ?? '');
  placed.addIndexers({ [byNode]: (pod) => [nodeOf(pod)] });
  const controller = new Controller(
    {
      name: 'nodelifecycle',
      component: 'node-controller',
      needs: [machines, placed],
      keys: () => machines.list().map((node) => node.metadata.name ?? ''),
      reconcile: (name, now) => {
        const node = machines.get(name);
        if (node === undefined) return nothing;
        return reconcileNode({ node, pods: placed.byIndex(byNode, name) }, now);
      },
    },
    services,
  );
  followOwn(machines, controller);
  const hasTaints = (pod: KubeObject): boolean => {
    const node = machines.get(nodeOf(pod));
    return ((node?.['spec']?.taints ?? []) as unknown[]).length > 0;
  };
  placed.addHandler({
    onAdd: (pod) => {
      if (hasTaints(pod)) controller.enqueue(nodeOf(pod));
    },
    onUpdate: (_old, pod) => {
      if (hasTaints(pod)) controller.enqueue(nodeOf(pod));
    },
  });
  return controller;
}
