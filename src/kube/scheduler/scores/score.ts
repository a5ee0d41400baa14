// Scores a node for a pod, higher is better: room left, balance, spreading of siblings, preferences.
import { isTolerated } from '#kube/scheduler/filters/taints.ts';
import { matchesTerm } from '#kube/scheduler/requirements.ts';
import type { SchedulingNode, SchedulingPod } from '#kube/scheduler/types.ts';

const SCORE_MAX = 100;
const weights = { leastAllocated: 1, balanced: 1, spread: 2, affinity: 2, taints: 3 } as const;

function share(free: number, requested: number, capacity: number): number {
  return capacity <= 0 ? 0 : Math.max(0, (free - requested) / capacity);
}

function scoreRoom(pod: SchedulingPod, node: SchedulingNode): number {
  const { free, capacity } = node;
  const cpu = share(free.cpuMilli, pod.requests.cpuMilli, capacity.cpuMilli);
  const memory = share(free.memoryBytes, pod.requests.memoryBytes, capacity.memoryBytes);
  const least = ((cpu + memory) / 2) * SCORE_MAX;
  const balanced = (1 - Math.abs(cpu - memory) / 2) * SCORE_MAX;
  return least * weights.leastAllocated + balanced * weights.balanced;
}

function scoreAffinity(pod: SchedulingPod, node: SchedulingNode): number {
  let sum = 0;
  let most = 0;
  for (const { weight, term } of pod.preferredTerms) {
    most += weight;
    if (matchesTerm(term, node)) sum += weight;
  }
  return most === 0 ? 0 : (sum / most) * SCORE_MAX;
}

function scoreTaints(pod: SchedulingPod, node: SchedulingNode): number {
  const soft = node.taints.filter((taint) => taint.effect === 'PreferNoSchedule');
  const disliked = soft.filter((taint) => !isTolerated(pod, taint)).length;
  return SCORE_MAX / (1 + disliked);
}

export function scoreNode(pod: SchedulingPod, node: SchedulingNode): number {
  const siblings = pod.spreadKey === '' ? 0 : (node.spreadCounts.get(pod.spreadKey) ?? 0);
  return (
    scoreRoom(pod, node) +
    (SCORE_MAX / (1 + siblings)) * weights.spread +
    scoreAffinity(pod, node) * weights.affinity +
    scoreTaints(pod, node) * weights.taints
  );
}
