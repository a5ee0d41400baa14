// Taints and tolerations, and cordoned nodes (kube-scheduler's TaintToleration, NodeUnschedulable).
import {
  fails,
  fits,
  type SchedulingNode,
  type SchedulingPod,
  type Taint,
  type Toleration,
  type Verdict,
} from '#kube/scheduler/types.ts';

export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect !== '' && toleration.effect !== taint.effect) return false;
  if (toleration.key !== '' && toleration.key !== taint.key) return false;
  if (toleration.operator === 'Exists') return true;
  return toleration.key !== '' && toleration.value === taint.value;
}

export function isTolerated(pod: SchedulingPod, taint: Taint): boolean {
  return pod.tolerations.some((toleration) => tolerates(toleration, taint));
}

export function filterTaints(pod: SchedulingPod, node: SchedulingNode): Verdict {
  for (const taint of node.taints) {
    if (taint.effect === 'PreferNoSchedule' || isTolerated(pod, taint)) continue;
    return fails(`node(s) had untolerated taint {${taint.key}: ${taint.value}}`);
  }
  return fits;
}

const unschedulable: Taint = {
  key: 'node.kubernetes.io/unschedulable',
  value: '',
  effect: 'NoSchedule',
};

export function filterUnschedulable(pod: SchedulingPod, node: SchedulingNode): Verdict {
  if (!node.isUnschedulable || isTolerated(pod, unschedulable)) return fits;
  return fails('node(s) were unschedulable');
}
