// Decides what a ReplicaSet needs: pods to make or delete, and its status. Pure.
import type { KubeObject } from '#kube/meta/object.ts';
import {
  compareForDeletion,
  isPodActive,
  isPodAvailable,
  isPodReady,
} from '#kube/controllers/pods.ts';
import { labelSelectorFromObject, matchesLabels } from '#kube/meta/selectors.ts';

export interface ReplicaSetPlan {
  readonly create: number;
  readonly remove: readonly KubeObject[];
  readonly adopt: readonly KubeObject[];
  readonly status: Record<string, unknown>;
  /** A pod becomes available by time alone: look again then. */
  readonly againInMs: number | undefined;
}

const BURST_MAX = 500;

/** The pods of a set, and those that it may take over. */
export function podsOf(
  set: KubeObject,
  pods: readonly KubeObject[],
): { mine: KubeObject[]; orphans: KubeObject[] } {
  const selector = labelSelectorFromObject(set['spec']?.selector) ?? [];
  const mine: KubeObject[] = [];
  const orphans: KubeObject[] = [];
  for (const pod of pods) {
    const owner = pod.metadata.ownerReferences?.find((one) => one.controller === true);
    if (owner?.uid === set.metadata.uid) mine.push(pod);
    else if (
      owner === undefined &&
      isPodActive(pod) &&
      matchesLabels(selector, pod.metadata.labels)
    )
      orphans.push(pod);
  }
  return { mine, orphans };
}

export function planReplicaSet(
  set: KubeObject,
  pods: readonly KubeObject[],
  now: number,
): ReplicaSetPlan {
  const { mine, orphans } = podsOf(set, pods);
  const isGoing = set.metadata.deletionTimestamp !== undefined;
  const active = mine.filter(isPodActive);
  const wanted = Number(set['spec']?.replicas ?? 1);
  const difference = wanted - active.length - (isGoing ? 0 : orphans.length);
  const minReady = Number(set['spec']?.minReadySeconds ?? 0);
  const templateLabels = Object.entries(
    (set['spec']?.template?.metadata?.labels ?? {}) as Record<string, string>,
  );
  const labeled = active.filter((pod) =>
    templateLabels.every(([key, value]) => pod.metadata.labels?.[key] === value),
  );
  const ready = active.filter(isPodReady);
  const available = ready.filter((pod) => isPodAvailable(pod, minReady, now));
  const terminating = mine.filter((pod) => pod.metadata.deletionTimestamp !== undefined).length;
  const status: Record<string, unknown> = {
    replicas: active.length,
    ...(labeled.length > 0 ? { fullyLabeledReplicas: labeled.length } : {}),
    ...(ready.length > 0 ? { readyReplicas: ready.length } : {}),
    ...(available.length > 0 ? { availableReplicas: available.length } : {}),
    terminatingReplicas: terminating,
    observedGeneration: set.metadata.generation ?? 0,
  };
  const isWaiting = minReady > 0 && ready.length > available.length;
  return {
    create: isGoing ? 0 : Math.min(BURST_MAX, Math.max(0, difference)),
    remove: isGoing
      ? []
      : active.toSorted(compareForDeletion).slice(0, Math.min(BURST_MAX, Math.max(0, -difference))),
    adopt: isGoing ? [] : orphans,
    status,
    againInMs: isWaiting ? 1_000 : undefined,
  };
}
