// Node selector and required node affinity (kube-scheduler's NodeAffinity), and a chosen node name.
import { matchesTerm } from '#kube/scheduler/requirements.ts';
import {
  fails,
  fits,
  type SchedulingNode,
  type SchedulingPod,
  type Verdict,
} from '#kube/scheduler/types.ts';

const MISMATCH = "node(s) didn't match Pod's node affinity/selector";

export function filterNodeName(pod: SchedulingPod, node: SchedulingNode): Verdict {
  if (pod.nodeName === undefined || pod.nodeName === node.name) return fits;
  return fails("node(s) didn't match the requested node name");
}

export function filterNodeAffinity(pod: SchedulingPod, node: SchedulingNode): Verdict {
  for (const [key, value] of Object.entries(pod.nodeSelector)) {
    if (node.labels[key] !== value) return fails(MISMATCH);
  }
  if (pod.requiredTerms === undefined) return fits;
  return pod.requiredTerms.some((term) => matchesTerm(term, node)) ? fits : fails(MISMATCH);
}
