// Plans a batch: which pod goes to which node, given what is offered now; for each pod that fits
// nowhere, why. Pure; the framework turns placements into bindings and one ACCEPT per agent.
import { filterNodeAffinity, filterNodeName } from './filters/node-affinity.ts';
import { filterHostPorts, filterResources } from './filters/resources.ts';
import { filterTaints, filterUnschedulable } from './filters/taints.ts';
import { scoreNode } from './scores/score.ts';
import {
  addAmounts,
  fits,
  noAmounts,
  type Amounts,
  type SchedulingNode,
  type SchedulingPod,
  type Verdict,
} from './types.ts';

export interface Placement {
  readonly pod: SchedulingPod;
  readonly nodeName: string;
  readonly agentId: string;
}

export interface Unplaced {
  readonly pod: SchedulingPod;
  /** `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.` */
  readonly message: string;
}

export interface Plan {
  readonly placements: readonly Placement[];
  readonly unplaced: readonly Unplaced[];
}

export interface PlanInput {
  readonly pods: readonly SchedulingPod[];
  readonly nodes: readonly SchedulingNode[];
  /** Per agent: the ports that it manages in all, offered or not. */
  readonly managedPorts: ReadonlyMap<string, readonly { begin: number; end: number }[]>;
}

function subtract(a: Amounts, b: Amounts): Amounts {
  return {
    cpuMilli: a.cpuMilli - b.cpuMilli,
    memoryBytes: a.memoryBytes - b.memoryBytes,
    ephemeralStorageBytes: a.ephemeralStorageBytes - b.ephemeralStorageBytes,
    gpus: a.gpus - b.gpus,
  };
}

/** The node as it is after the pod has been placed on it. */
function withPod(node: SchedulingNode, pod: SchedulingPod): SchedulingNode {
  const spreadCounts = new Map(node.spreadCounts);
  if (pod.spreadKey !== '') {
    spreadCounts.set(pod.spreadKey, (spreadCounts.get(pod.spreadKey) ?? 0) + 1);
  }
  return {
    ...node,
    free: subtract(node.free, addAmounts(pod.requests, node.executorOverhead)),
    executorOverhead: noAmounts,
    usedHostPorts: [...node.usedHostPorts, ...pod.hostPorts],
    spreadCounts,
  };
}

function judgePlace(pod: SchedulingPod, node: SchedulingNode): Verdict {
  const checks = [filterNodeName, filterUnschedulable, filterTaints, filterNodeAffinity];
  // Who chose the node itself has only the node's resources to reckon with, as with a real kubelet.
  const applicable = pod.nodeName === undefined ? checks : [filterNodeName];
  for (const check of applicable) {
    const verdict = check(pod, node);
    if (!verdict.ok) return verdict;
  }
  return fits;
}

/** Whether the pod has a place on the node while all that the node is said to have free is. */
export function couldRun(pod: SchedulingPod, node: SchedulingNode): boolean {
  return judgePlace(pod, node).ok && filterResources(pod, node).ok;
}

function judge(
  pod: SchedulingPod,
  node: SchedulingNode,
  managed: readonly { begin: number; end: number }[],
): Verdict {
  const place = judgePlace(pod, node);
  if (!place.ok) return place;
  const ports = filterHostPorts(pod, node, managed);
  return ports.ok ? filterResources(pod, node) : ports;
}

function explain(reasons: ReadonlyMap<string, number>, nodeCount: number): string {
  if (nodeCount === 0) return 'no nodes available to schedule pods';
  const parts = [...reasons].map(([reason, count]) => `${count} ${reason}`).sort();
  return `0/${nodeCount} nodes are available: ${parts.join(', ')}.`;
}

/** Higher priority first, then older first (kube-scheduler's PrioritySort). */
export function comparePods(a: SchedulingPod, b: SchedulingPod): number {
  return b.priority - a.priority || a.createdAt - b.createdAt || (a.uid < b.uid ? -1 : 1);
}

export function planPods(input: PlanInput): Plan {
  const nodes = [...input.nodes];
  const placements: Placement[] = [];
  const unplaced: Unplaced[] = [];
  for (const pod of input.pods.toSorted(comparePods)) {
    const reasons = new Map<string, number>();
    let best = -1;
    let bestScore = Number.NEGATIVE_INFINITY;
    nodes.forEach((node, index) => {
      const verdict = judge(pod, node, input.managedPorts.get(node.agentId) ?? []);
      if (!verdict.ok) {
        for (const why of verdict.reasons) reasons.set(why, (reasons.get(why) ?? 0) + 1);
        return;
      }
      const score = scoreNode(pod, node);
      if (score > bestScore) {
        best = index;
        bestScore = score;
      }
    });
    const chosen = nodes[best];
    if (chosen === undefined) {
      unplaced.push({ pod, message: explain(reasons, nodes.length) });
      continue;
    }
    nodes[best] = withPod(chosen, pod);
    placements.push({ pod, nodeName: chosen.name, agentId: chosen.agentId });
  }
  return { placements, unplaced };
}
