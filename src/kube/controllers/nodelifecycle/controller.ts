// Feeds nodelifecycle/core.ts: a node is looked at when it or a pod's place on it changes, and when its
// kubelet was not heard of for too long.
import { hasReason } from '#kube/client/client.ts';
import { keyOf } from '#kube/client/informer-store.ts';
import { leases, nodes, pods } from '#kube/client/resources.ts';
import { nothing, type Decision } from '#kube/controllers/effects.ts';
import { Controller, followOwn, type ControllerServices } from '#kube/controllers/frame.ts';
import { isAgentNode } from '#kube/meta/node-versions.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { isToBeEvicted, reconcileNode } from './core.ts';
import { isUnknown, LEASES, leftMs, observe, type Health } from './health.ts';
import { Zones } from './zones.ts';

export const byNode = 'node-name';

export function nodeLifecycleController(services: ControllerServices): Controller {
  const { client, env, informers } = services;
  const machines = informers.informer(nodes);
  const placed = informers.informer(pods);
  const renewals = informers.informer(leases, LEASES);
  const nodeOf = (pod: KubeObject): string => String(pod['spec']?.nodeName ?? '');
  placed.addIndexers({ [byNode]: (pod) => [nodeOf(pod)] });

  const healths = new Map<string, Health>();
  const listen = (name: string, lease = renewals.get(`${LEASES}/${name}`)): Health | undefined => {
    const node = machines.get(name);
    if (node === undefined || isAgentNode(node)) {
      healths.delete(name);
      return undefined;
    }
    const health = observe(healths.get(name), node, lease, env.clock.now());
    healths.set(name, health);
    return health;
  };

  const zones = new Zones();
  /** As it is now: what came while this process or its connection stood still was not told yet. */
  async function liveLease(name: string): Promise<KubeObject | undefined> {
    try {
      return await client.get(leases, { namespace: LEASES, name });
    } catch (error) {
      if (hasReason(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  async function decide(name: string, now: number): Promise<Decision> {
    const seen = machines.get(name);
    if (seen === undefined) return nothing;
    let health = listen(name);
    const isSilent = health !== undefined && !isUnknown(seen) && leftMs(health, now) <= 0;
    if (isSilent) health = listen(name, await liveLease(name));
    const node = machines.get(name);
    if (node === undefined) return nothing;
    const mine = placed.byIndex(byNode, name);
    // Of a node of an agent the master knows more than that nothing is heard.
    if (health === undefined) return reconcileNode({ node, pods: mine }, now);
    const { isCutOff } = zones;
    const isDue = !isCutOff && isToBeEvicted(node);
    const evictInMs = isDue ? zones.turnInMs(node, now) : 0;
    return reconcileNode({ node, health, isCutOff, evictInMs, pods: mine }, now);
  }

  const controller = new Controller(
    {
      name: 'nodelifecycle',
      component: 'node-controller',
      needs: [machines, placed, renewals],
      keys: () => machines.list().map((node) => node.metadata.name ?? ''),
      reconcile: decide,
    },
    services,
  );
  const hear = ({ metadata: { name = '' } }: KubeObject): void => void listen(name);
  const look = (node: KubeObject): void => {
    hear(node);
    const name = keyOf(node);
    if (!zones.count(name, machines.get(name))) return;
    for (const one of machines.list()) controller.enqueue(keyOf(one));
  };
  machines.addHandler({ onAdd: look, onUpdate: (_old, node) => look(node), onDelete: look });
  renewals.addHandler({ onAdd: hear, onUpdate: (_old, lease) => hear(lease) });
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
