// Decides what a ReplicaSet needs, and a ReplicationController likewise: pods to make or delete, and the
// status. Pure.
import type { GroupVersionResource, KubeObject } from '#kube/meta/object.ts';
import { pods as podsResource } from '#kube/client/resources.ts';
import { matchesLabels, type LabelSelector } from '#kube/meta/selectors.ts';
import {
  conditionsOf,
  timestamp,
  withCondition,
  withoutCondition,
  type Condition,
} from '#kube/meta/conditions.ts';
import {
  statusUpdate,
  type Announcement,
  type Decision,
  type Effect,
} from '#kube/controllers/effects.ts';
import { claim } from '#kube/controllers/owners.ts';
import {
  byDeletionOrder,
  isGoing,
  isPodActive,
  isPodAvailable,
  isPodReady,
  nextAvailableInMs,
  podFromTemplate,
} from '#kube/controllers/pod-facts.ts';

export interface ReplicaSetSnapshot {
  readonly set: KubeObject;
  readonly resource: GroupVersionResource;
  readonly selector: LabelSelector;
  /** Its pods, and those of its namespace without a controller. */
  readonly pods: readonly KubeObject[];
  /** Pods of sets of the same owner: nodes with many of them lose theirs first. */
  readonly related?: readonly KubeObject[] | undefined;
  readonly isCurrent: boolean;
  /** Why the last creation or deletion failed. */
  readonly failure?: { readonly reason: string; readonly message: string } | undefined;
}

/** At most so many at a time; the rest follows when these have been seen. */
const BURST_MAX = 500;

function wantedBy(set: KubeObject): number {
  return Number(set['spec'].replicas ?? 1);
}

function statusOf(
  snapshot: ReplicaSetSnapshot,
  mine: readonly KubeObject[],
  now: number,
): Record<string, unknown> {
  const { set } = snapshot;
  const minReadySeconds = Number(set['spec'].minReadySeconds ?? 0);
  const templateLabels = Object.entries(
    (set['spec'].template?.metadata?.labels ?? {}) as Record<string, string>,
  ).map(([key, value]) => ({ key, operator: 'In' as const, values: [value] }));
  const active = mine.filter(isPodActive);
  const labeled = active.filter((pod) => matchesLabels(templateLabels, pod.metadata.labels));
  const ready = active.filter(isPodReady);
  const available = ready.filter((pod) => isPodAvailable(pod, minReadySeconds, now));
  const terminating = mine.filter(isGoing).length;
  const old = conditionsOf(set);
  // Nothing is left to fail once there are as many as wanted.
  const failure = active.length === wantedBy(set) ? undefined : snapshot.failure;
  const conditions: readonly Condition[] =
    failure === undefined
      ? withoutCondition(old, 'ReplicaFailure')
      : withCondition(old, { type: 'ReplicaFailure', status: 'True', ...failure }, timestamp(now));
  return {
    replicas: active.length,
    ...(labeled.length > 0 ? { fullyLabeledReplicas: labeled.length } : {}),
    ...(ready.length > 0 ? { readyReplicas: ready.length } : {}),
    ...(available.length > 0 ? { availableReplicas: available.length } : {}),
    ...(set.kind === 'ReplicaSet' ? { terminatingReplicas: terminating } : {}),
    observedGeneration: set.metadata.generation ?? 0,
    ...(conditions.length > 0 ? { conditions } : {}),
  };
}

/** Status first: what follows may fail. */
export function reconcileReplicaSet(snapshot: ReplicaSetSnapshot, now: number): Decision {
  const { set, resource, selector, isCurrent } = snapshot;
  const { mine, effects: claims } = claim({
    owner: set,
    selector,
    resource: podsResource,
    candidates: snapshot.pods,
    mayAdopt: isPodActive,
  });
  const effects: Effect[] = [
    ...claims,
    ...statusUpdate(resource, set, statusOf(snapshot, mine, now)),
  ];
  // What is being taken over will show up, and then be counted.
  if (isCurrent && !isGoing(set) && claims.length === 0) {
    effects.push(...scale(snapshot, mine.filter(isPodActive), now));
  }
  const minReadySeconds = Number(set['spec'].minReadySeconds ?? 0);
  return { effects, againInMs: nextAvailableInMs(mine, minReadySeconds, now) };
}

function scale(
  { set, related }: ReplicaSetSnapshot,
  active: readonly KubeObject[],
  now: number,
): Effect[] {
  const announce: Announcement = { about: set, noun: 'pod' };
  const common = { resource: podsResource, announce, isExpected: true } as const;
  const missing = wantedBy(set) - active.length;
  if (missing >= 0) {
    return Array.from({ length: Math.min(BURST_MAX, missing) }, () => {
      const object = podFromTemplate({ template: set['spec'].template, owner: set });
      return { kind: 'create', object, ...common };
    });
  }
  const surplus = byDeletionOrder(active, now, related ?? active).slice(
    0,
    Math.min(BURST_MAX, -missing),
  );
  return surplus.map((object) => ({ kind: 'delete', object, ...common }));
}
