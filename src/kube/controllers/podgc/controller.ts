// Feeds podgc/core.ts: all pods at once, soon after a node went or was given up, and every while.
import { nodes, pods } from '#kube/client/resources.ts';
import { Controller, type ControllerServices } from '#kube/controllers/frame.ts';
import { isGoing } from '#kube/controllers/pod-facts.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { collectPods, isOutOfService } from './core.ts';

const KEY = 'all';
const PERIOD_MS = 20_000;

export function podGcController(services: ControllerServices): Controller {
  const { informers } = services;
  const machines = informers.informer(nodes);
  const all = informers.informer(pods);
  const missingSince = new Map<string, number>();
  const controller = new Controller(
    {
      name: 'podgc',
      component: 'pod-garbage-collector',
      needs: [machines, all],
      keys: () => [KEY],
      resyncMs: PERIOD_MS,
      reconcile: (_key, now) => {
        const found = new Map(machines.list().map((node) => [node.metadata.name ?? '', node]));
        const named = new Set(all.list().map((pod) => String(pod['spec']?.nodeName ?? '')));
        for (const name of named) {
          if (!found.has(name) && !missingSince.has(name)) missingSince.set(name, now);
        }
        for (const name of missingSince.keys()) {
          if (found.has(name) || !named.has(name)) missingSince.delete(name);
        }
        return collectPods({ pods: all.list(), nodes: found, missingSince }, now);
      },
    },
    services,
  );
  const isUnplacedAndGoing = (pod: KubeObject): boolean => isGoing(pod) && !pod['spec']?.nodeName;
  machines.addHandler({
    onUpdate: (old, node) => {
      if (isOutOfService(node) && !isOutOfService(old)) controller.enqueue(KEY);
    },
    onDelete: () => controller.enqueue(KEY),
  });
  all.addHandler({
    onAdd: (pod) => {
      if (isUnplacedAndGoing(pod)) controller.enqueue(KEY);
    },
    onUpdate: (_old, pod) => {
      if (isUnplacedAndGoing(pod)) controller.enqueue(KEY);
    },
  });
  return controller;
}
