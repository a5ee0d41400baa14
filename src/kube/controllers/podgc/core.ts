// Decides which pods nobody will ever end: those of nodes that vanished, those that are being deleted and were
// never placed or are on a node that is out of service, and finished ones beyond a number. Pure.
import { pods as podsResource } from '#kube/client/resources.ts';
import { conditionsOf, findCondition, timestamp, withCondition } from '#kube/meta/conditions.ts';
import type { Decision, Effect } from '#kube/controllers/effects.ts';
import { taintsOf } from '#kube/controllers/node-match.ts';
import { controllerOf } from '#kube/controllers/owners.ts';
import { isGoing, isPodOver } from '#kube/controllers/pod-facts.ts';
import type { KubeObject } from '#kube/meta/object.ts';

/** A node that is away for less may be coming back under its name. */
export const QUARANTINE_MS = 40_000;
const TERMINATED_COUNT_MAX = 12_500;
const OUT_OF_SERVICE = 'node.kubernetes.io/out-of-service';

export interface PodGcSnapshot {
  readonly pods: readonly KubeObject[];
  readonly nodes: ReadonlyMap<string, KubeObject>;
  /** Since when a node that pods name has been missing. */
  readonly missingSince: ReadonlyMap<string, number>;
}

function remove(pod: KubeObject): Effect {
  return { kind: 'delete', resource: podsResource, object: pod, gracePeriodSeconds: 0 };
}

/** Whoever waits for its end is told: on a node that is gone nobody does. */
function fail(pod: KubeObject, time: string, isOrphan: boolean): Effect[] {
  if (isPodOver(pod)) return [];
  const old = conditionsOf(pod);
  const condition = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'DeletionByPodGC',
    message: 'PodGC: node no longer exists',
    observedGeneration: pod.metadata.generation,
  } as const;
  const conditions = isOrphan ? withCondition(old, condition, time) : old;
  const status = { ...pod['status'], phase: 'Failed', conditions };
  return [
    { kind: 'update', resource: podsResource, object: { ...pod, status }, subresource: 'status' },
  ];
}

/** Somebody has seen to it that nothing runs there any more. */
export function isOutOfService(node: KubeObject): boolean {
  if (findCondition(conditionsOf(node), 'Ready')?.status === 'True') return false;
  return taintsOf(node).some(({ key }) => key === OUT_OF_SERVICE);
}

export function collectPods(snapshot: PodGcSnapshot, now: number): Decision {
  const { pods, nodes, missingSince } = snapshot;
  const effects: Effect[] = [];
  const removals: Effect[] = [];
  const time = timestamp(now);
  let next: number | undefined;
  const terminated: KubeObject[] = [];
  for (const pod of pods) {
    const nodeName = String(pod['spec']?.nodeName ?? '');
    if (nodeName === '') {
      if (!isGoing(pod)) continue;
      effects.push(...fail(pod, time, false));
      removals.push(remove(pod));
      continue;
    }
    const node = nodes.get(nodeName);
    if (node === undefined) {
      const due = (missingSince.get(nodeName) ?? now) + QUARANTINE_MS;
      if (due <= now) {
        effects.push(...fail(pod, time, true));
        removals.push(remove(pod));
      } else if (next === undefined || due < next) next = due;
      continue;
    }
    if (isGoing(pod) && isOutOfService(node)) {
      effects.push(...fail(pod, time, false));
      removals.push(remove(pod));
      continue;
    }
    if (isPodOver(pod) && !isGoing(pod) && controllerOf(pod)?.kind !== 'Job') terminated.push(pod);
  }
  const excess = terminated.length - TERMINATED_COUNT_MAX;
  if (excess > 0) {
    const oldest = terminated.toSorted((a, b) =>
      (a.metadata.creationTimestamp ?? '') < (b.metadata.creationTimestamp ?? '') ? -1 : 1,
    );
    removals.push(...oldest.slice(0, excess).map(remove));
  }
  const againInMs = next === undefined ? undefined : next - now;
  return { effects: [...effects, ...removals], againInMs };
}
