// Decides for a StatefulSet: which of its numbered pods is made, replaced or taken away next, in order
// unless it asks for all at once, and its status. Pure.
import {
  persistentVolumeClaims,
  pods as podsResource,
  statefulSets,
} from '#kube/client/resources.ts';
import {
  statusUpdate,
  type Announcement,
  type Decision,
  type Effect,
} from '#kube/controllers/effects.ts';
import { scaledValue } from '#kube/controllers/intstr.ts';
import { claim } from '#kube/controllers/owners.ts';
import {
  isGoing,
  isPodAvailable,
  isPodOver,
  isPodReady,
  nextAvailableInMs,
  phaseOf,
} from '#kube/controllers/pod-facts.ts';
import { planRevisions, REVISION_HASH_LABEL } from '#kube/controllers/revisions.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { labelSelectorFromObject } from '#kube/meta/selectors.ts';
import { atRevision, claimsFor, ordinalOf, podFor, revisionOf } from './pods.ts';

export interface StatefulSetSnapshot {
  readonly set: KubeObject;
  readonly pods: readonly KubeObject[];
  readonly revisions: readonly KubeObject[];
  readonly hasClaim: (name: string) => boolean;
  readonly isCurrent: boolean;
}

interface Context {
  readonly set: KubeObject;
  readonly current: KubeObject;
  readonly update: KubeObject;
  readonly currentName: string;
  readonly updateName: string;
  readonly start: number;
  readonly replicas: number;
  readonly minReadySeconds: number;
  readonly isOrdered: boolean;
  readonly hasClaim: (name: string) => boolean;
  readonly now: number;
}

function partitionOf(set: KubeObject): number {
  return Number(set['spec'].updateStrategy?.rollingUpdate?.partition ?? 0);
}

/** A missing pod comes back in the revision that its place in the rollout has. */
function revisionFor(context: Context, ordinal: number, updatedFrom: number): KubeObject {
  const { set, current, update, start } = context;
  if (set['spec'].updateStrategy?.type === 'OnDelete') return update;
  const partition = partitionOf(set);
  const isHeldBack = partition > 0 ? ordinal < start + partition : ordinal < updatedFrom;
  return isHeldBack ? current : update;
}

function announcement(set: KubeObject): Announcement {
  return { about: set, noun: 'pod' };
}

function creation(context: Context, ordinal: number, revision: KubeObject): Effect[] {
  const { set, hasClaim } = context;
  const of = atRevision(set, revision);
  const claims = claimsFor(of, ordinal)
    .filter(({ metadata }) => !hasClaim(metadata.name ?? ''))
    .map((object): Effect => ({
      kind: 'create',
      resource: persistentVolumeClaims,
      object,
      mayExist: true,
    }));
  return [
    ...claims,
    {
      kind: 'create',
      resource: podsResource,
      object: podFor(of, ordinal, revision.metadata.name ?? ''),
      isExpected: true,
      announce: announcement(set),
    },
  ];
}

function removal(context: Context, object: KubeObject): Effect {
  const announce = announcement(context.set);
  return { kind: 'delete', resource: podsResource, object, announce, isExpected: true };
}

function isHealthy(pod: KubeObject, { minReadySeconds, now }: Context): boolean {
  return phaseOf(pod) === 'Running' && !isGoing(pod) && isPodAvailable(pod, minReadySeconds, now);
}

interface Places {
  readonly wanted: ReadonlyMap<number, KubeObject>;
  /** Beyond its size, highest first. */
  readonly condemned: readonly KubeObject[];
}

function placesOf(context: Context, pods: readonly KubeObject[]): Places {
  const { set, start, replicas } = context;
  const wanted = new Map<number, KubeObject>();
  const condemned: KubeObject[] = [];
  for (const pod of pods) {
    const ordinal = ordinalOf(set, pod);
    if (ordinal < 0) continue;
    if (ordinal >= start && ordinal < start + replicas) wanted.set(ordinal, pod);
    else condemned.push(pod);
  }
  condemned.sort((a, b) => ordinalOf(set, b) - ordinalOf(set, a));
  return { wanted, condemned };
}

/** In order: one step, then wait for it. At once: all of them. */
function plan(context: Context, places: Places): Effect[] {
  const { set, start, replicas, isOrdered, currentName } = context;
  const { wanted, condemned } = places;
  const effects: Effect[] = [];
  const atCurrent = [...wanted.values()].filter(
    (pod) => revisionOf(set, pod) === currentName,
  ).length;
  const { currentReplicas } = set['status'] ?? {};
  const updatedFrom = start + Number(currentReplicas ?? atCurrent);
  for (let ordinal = start; ordinal < start + replicas; ordinal++) {
    const pod = wanted.get(ordinal);
    if (pod === undefined) {
      effects.push(...creation(context, ordinal, revisionFor(context, ordinal, updatedFrom)));
      if (isOrdered) return effects;
      continue;
    }
    if (isPodOver(pod) && !isGoing(pod)) {
      effects.push(removal(context, pod));
      if (isOrdered) return effects;
      continue;
    }
    if (isOrdered && !isHealthy(pod, context)) return effects;
  }
  for (const pod of condemned) {
    if (isGoing(pod)) {
      if (isOrdered) return effects;
      continue;
    }
    // In order, one that is not well goes only when it is the first that is not.
    if (isOrdered && !isHealthy(pod, context) && pod !== firstUnhealthy(context, places)) {
      return effects;
    }
    effects.push(removal(context, pod));
    if (isOrdered) return effects;
  }
  return effects.length > 0 ? effects : rollout(context, wanted);
}

function firstUnhealthy(context: Context, { wanted, condemned }: Places): KubeObject | undefined {
  const { set } = context;
  const all = [...wanted.values(), ...condemned];
  all.sort((a, b) => ordinalOf(set, a) - ordinalOf(set, b));
  return all.find((pod) => !isHealthy(pod, context));
}

/** From the highest place down; never more away at a time than is allowed. */
function rollout(context: Context, wanted: ReadonlyMap<number, KubeObject>): Effect[] {
  const { set, start, replicas, updateName } = context;
  const { type, rollingUpdate = {} } = set['spec'].updateStrategy ?? {};
  if (type === 'OnDelete') return [];
  const most = Math.max(1, scaledValue(rollingUpdate.maxUnavailable ?? 1, replicas, 'up'));
  const least = start + partitionOf(set);
  let away = [...wanted.values()].filter((pod) => !isHealthy(pod, context)).length;
  away += replicas - wanted.size;
  const effects: Effect[] = [];
  for (let ordinal = start + replicas - 1; ordinal >= least; ordinal--) {
    const pod = wanted.get(ordinal);
    if (pod === undefined || revisionOf(set, pod) === updateName || isGoing(pod)) continue;
    const isDown = !isHealthy(pod, context);
    if (!isDown && away >= most) break;
    effects.push(removal(context, pod));
    if (!isDown) away += 1;
    if (effects.length >= most) break;
  }
  return effects;
}

function statusOf(context: Context, pods: readonly KubeObject[]): Record<string, unknown> {
  const { set, current, update, currentName, updateName, minReadySeconds, now, replicas } = context;
  const mine = pods.filter((pod) => ordinalOf(set, pod) >= 0);
  const made = mine.filter((pod) => !isPodOver(pod));
  const live = made.filter((pod) => !isGoing(pod));
  const ready = made.filter((pod) => phaseOf(pod) === 'Running' && isPodReady(pod));
  const available = ready.filter((pod) => isPodAvailable(pod, minReadySeconds, now));
  const updated = live.filter((pod) => revisionOf(set, pod) === updateName).length;
  const isDone =
    updated === replicas &&
    ready.length === replicas &&
    made.length === replicas &&
    set['spec'].updateStrategy?.type !== 'OnDelete';
  const atCurrent = isDone
    ? updated
    : live.filter((pod) => revisionOf(set, pod) === currentName).length;
  const { collisionCount } = set['status'] ?? {};
  return {
    observedGeneration: set.metadata.generation ?? 0,
    replicas: made.length,
    ...(ready.length > 0 ? { readyReplicas: ready.length } : {}),
    ...(atCurrent > 0 ? { currentReplicas: atCurrent } : {}),
    ...(updated > 0 ? { updatedReplicas: updated } : {}),
    currentRevision: isDone ? update.metadata.name : current.metadata.name,
    updateRevision: update.metadata.name,
    collisionCount: Number(collisionCount ?? 0),
    availableReplicas: available.length,
  };
}

export function reconcileStatefulSet(snapshot: StatefulSetSnapshot, now: number): Decision {
  const { set, revisions, isCurrent, hasClaim } = snapshot;
  const selector = labelSelectorFromObject(set['spec'].selector) ?? [];
  const claimed = claim({
    owner: set,
    selector,
    resource: podsResource,
    candidates: snapshot.pods,
    mayAdopt: (pod) => ordinalOf(set, pod) >= 0,
  });
  if (isGoing(set)) return { effects: claimed.effects };
  const { collisionCount, currentRevision } = set['status'] ?? {};
  const known = revisions.find(({ metadata }) => metadata.name === currentRevision);
  const inUse = new Set(claimed.mine.map((pod) => revisionOf(set, pod)));
  const planned = planRevisions({
    owner: set,
    revisions,
    hashLabel: REVISION_HASH_LABEL,
    isInUse: (one) => one === known || inUse.has(one.metadata.name ?? ''),
    collisionCount,
  });
  const current = known ?? planned.current;
  const context: Context = {
    set,
    current,
    update: planned.current,
    currentName: current.metadata.name ?? '',
    updateName: planned.current.metadata.name ?? '',
    start: Number(set['spec'].ordinals?.start ?? 0),
    replicas: Number(set['spec'].replicas ?? 1),
    minReadySeconds: Number(set['spec'].minReadySeconds ?? 0),
    isOrdered: set['spec'].podManagementPolicy !== 'Parallel',
    hasClaim,
    now,
  };
  const effects: Effect[] = [
    ...claimed.effects,
    ...planned.effects,
    ...statusUpdate(statefulSets, set, statusOf(context, claimed.mine)),
  ];
  if (isCurrent && claimed.effects.length === 0) {
    effects.push(...plan(context, placesOf(context, claimed.mine)));
  }
  const { minReadySeconds } = context;
  return { effects, againInMs: nextAvailableInMs(claimed.mine, minReadySeconds, now) };
}
