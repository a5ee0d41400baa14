// Decides for a DaemonSet: which nodes get its pod, which pods go, which old ones are replaced next, and
// its status. Pure.
import { daemonSets, pods as podsResource } from '#kube/client/resources.ts';
import {
  statusUpdate,
  type Announcement,
  type Decision,
  type Effect,
} from '#kube/controllers/effects.ts';
import { scaledValue } from '#kube/controllers/intstr.ts';
import {
  isNodeSelected,
  taintsOf,
  untolerated,
  type Toleration,
} from '#kube/controllers/node-match.ts';
import { claim } from '#kube/controllers/owners.ts';
import {
  isGoing,
  isPodAvailable,
  isPodReady,
  nextAvailableInMs,
  phaseOf,
  podFromTemplate,
} from '#kube/controllers/pod-facts.ts';
import { HASH_LABEL, planRevisions } from '#kube/controllers/revisions.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { labelSelectorFromObject } from '#kube/meta/selectors.ts';

export interface DaemonSetSnapshot {
  readonly set: KubeObject;
  readonly nodes: readonly KubeObject[];
  readonly pods: readonly KubeObject[];
  readonly revisions: readonly KubeObject[];
  /** Everything that was asked for has been seen. */
  readonly isCurrent: boolean;
}

const BURST_MAX = 250;

const ownTolerations: readonly Toleration[] = [
  { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' },
  { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute' },
  { key: 'node.kubernetes.io/disk-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/memory-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/pid-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/unschedulable', operator: 'Exists', effect: 'NoSchedule' },
];
const hostNetworkToleration: Toleration = {
  key: 'node.kubernetes.io/network-unavailable',
  operator: 'Exists',
  effect: 'NoSchedule',
};

function tolerationsOf(spec: KubeObject['spec']): Toleration[] {
  const own =
    spec.hostNetwork === true ? [...ownTolerations, hostNetworkToleration] : ownTolerations;
  const given = (spec.tolerations ?? []) as Toleration[];
  const isGiven = (one: Toleration): boolean =>
    given.some(
      (other) =>
        other.key === one.key && other.effect === one.effect && other.operator === one.operator,
    );
  return [...given, ...own.filter((one) => !isGiven(one))];
}

/** Whether a node is to have the pod, and whether one that is there may stay. */
export function judgeNode(
  set: KubeObject,
  node: KubeObject,
): { shouldRun: boolean; mayStay: boolean } {
  const spec = set['spec'].template.spec ?? {};
  const fits =
    (spec.nodeName === undefined || spec.nodeName === node.metadata.name) &&
    isNodeSelected(spec, node);
  if (!fits) return { shouldRun: false, mayStay: false };
  const taints = taintsOf(node);
  const tolerations = tolerationsOf(spec);
  if (untolerated(taints, tolerations, ['NoSchedule', 'NoExecute']) === undefined) {
    return { shouldRun: true, mayStay: true };
  }
  const mayStay = untolerated(taints, tolerations, ['NoExecute']) === undefined;
  return { shouldRun: false, mayStay };
}

/** Where a pod is, or is meant to be. */
export function nodeNameOf(pod: KubeObject): string | undefined {
  if (pod['spec']?.nodeName) return String(pod['spec'].nodeName);
  const required =
    pod['spec']?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  for (const term of (required?.nodeSelectorTerms ?? []) as {
    matchFields?: { key: string; values?: string[] }[];
  }[]) {
    const field = term.matchFields?.find(({ key }) => key === 'metadata.name');
    if (field?.values?.length === 1) return field.values[0];
  }
  return undefined;
}

/** The pod of one node: bound to it by affinity, so that the scheduler still decides when. */
function podFor(set: KubeObject, nodeName: string, hash: string): KubeObject {
  const pod = podFromTemplate({
    template: set['spec'].template,
    owner: set,
    labels: { [HASH_LABEL]: hash },
  });
  const spec = pod['spec'];
  const requirement = { key: 'metadata.name', operator: 'In', values: [nodeName] };
  const old = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const terms = (old?.nodeSelectorTerms ?? [{}]) as object[];
  const nodeSelectorTerms = terms.map((term) => ({ ...term, matchFields: [requirement] }));
  spec.affinity = {
    ...spec.affinity,
    nodeAffinity: {
      ...spec.affinity?.nodeAffinity,
      requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms },
    },
  };
  spec.tolerations = tolerationsOf(spec);
  return pod;
}

interface Limits {
  readonly maxSurge: number;
  readonly maxUnavailable: number;
}

function limitsOf(set: KubeObject, desired: number): Limits {
  const strategy = set['spec'].updateStrategy ?? {};
  if (strategy.type === 'OnDelete') return { maxSurge: 0, maxUnavailable: 0 };
  const { maxSurge = 0, maxUnavailable = 1 } = strategy.rollingUpdate ?? {};
  const surge = scaledValue(maxSurge, desired, 'up');
  const unavailable = scaledValue(maxUnavailable, desired, 'up');
  return { maxSurge: surge, maxUnavailable: surge === 0 && unavailable === 0 ? 1 : unavailable };
}

interface Work {
  readonly create: string[];
  readonly remove: KubeObject[];
  readonly events: Effect[];
}

interface Context {
  readonly set: KubeObject;
  readonly hash: string;
  readonly minReadySeconds: number;
  readonly now: number;
  readonly limits: Limits;
}

function isNew(pod: KubeObject, hash: string): boolean {
  return pod.metadata.labels?.[HASH_LABEL] === hash;
}

function byAge(a: KubeObject, b: KubeObject): number {
  const [x, y] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''];
  return x < y ? -1 : x > y ? 1 : (a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1;
}

/** Makes the pods of one node what the set wants, updates aside. */
function tend(node: KubeObject, there: readonly KubeObject[], context: Context, work: Work): void {
  const { set, limits, minReadySeconds, now, hash } = context;
  const nodeName = node.metadata.name ?? '';
  const { shouldRun, mayStay } = judgeNode(set, node);
  if (shouldRun && there.length === 0) {
    work.create.push(nodeName);
    return;
  }
  if (!shouldRun) {
    if (!mayStay) work.remove.push(...there.filter((pod) => !isGoing(pod)));
    return;
  }
  const running: KubeObject[] = [];
  for (const pod of there) {
    if (isGoing(pod)) continue;
    const phase = phaseOf(pod);
    if (phase !== 'Failed' && phase !== 'Succeeded') {
      running.push(pod);
      continue;
    }
    const word = phase === 'Failed' ? 'failed' : 'succeeded';
    const full = `${pod.metadata.namespace}/${pod.metadata.name}`;
    const message = `Found ${word} daemon pod ${full} on node ${nodeName}, will try to ${phase === 'Failed' ? 'kill' : 'delete'} it`;
    const type = phase === 'Failed' ? 'Warning' : 'Normal';
    work.events.push({ kind: 'event', about: set, type, reason: `${phase}DaemonPod`, message });
    work.remove.push(pod);
  }
  if (running.length <= 1) return;
  const sorted = running.toSorted(byAge);
  if (limits.maxSurge === 0) {
    work.remove.push(...sorted.slice(1));
    return;
  }
  // With surge an old and a new pod stand side by side until the new one is available.
  const oldest = sorted.find((pod) => !isNew(pod, hash));
  const newest = sorted.find((pod) => isNew(pod, hash));
  const isReplaced = newest !== undefined && isPodAvailable(newest, minReadySeconds, now);
  for (const pod of sorted) {
    if (pod === newest || (pod === oldest && !isReplaced)) continue;
    work.remove.push(pod);
  }
}

/** Which old pods are replaced now. */
function roll(
  byNode: ReadonlyMap<string, readonly KubeObject[]>,
  nodes: readonly KubeObject[],
  context: Context,
  work: Work,
): void {
  const { set, limits, minReadySeconds, now, hash } = context;
  const isUp = (pod: KubeObject): boolean => isPodAvailable(pod, minReadySeconds, now);
  let unavailableCount = 0;
  let surgeCount = 0;
  const broken: KubeObject[] = [];
  const healthy: { pod: KubeObject; nodeName: string }[] = [];
  for (const node of nodes) {
    if (!judgeNode(set, node).shouldRun) continue;
    const nodeName = node.metadata.name ?? '';
    const there = (byNode.get(nodeName) ?? []).filter((pod) => !isGoing(pod));
    const fresh = there.find((pod) => isNew(pod, hash));
    const old = there.find((pod) => !isNew(pod, hash));
    if (old === undefined) {
      if (fresh === undefined || !isUp(fresh)) unavailableCount += 1;
      continue;
    }
    if (fresh !== undefined) {
      surgeCount += 1;
      continue;
    }
    if (isUp(old)) healthy.push({ pod: old, nodeName });
    else {
      unavailableCount += 1;
      broken.push(old);
    }
  }
  if (limits.maxSurge > 0) {
    const room = Math.max(0, limits.maxSurge - surgeCount);
    work.create.push(...healthy.slice(0, room).map(({ nodeName }) => nodeName));
    work.remove.push(...broken);
    return;
  }
  const room = Math.max(0, limits.maxUnavailable - unavailableCount);
  work.remove.push(...broken, ...healthy.slice(0, room).map(({ pod }) => pod));
}

function statusOf(
  context: Context,
  byNode: ReadonlyMap<string, readonly KubeObject[]>,
  nodes: readonly KubeObject[],
): Record<string, unknown> {
  const { set, hash, minReadySeconds, now } = context;
  const count = { desired: 0, current: 0, misscheduled: 0, ready: 0, updated: 0, available: 0 };
  for (const node of nodes) {
    const { shouldRun } = judgeNode(set, node);
    const there = (byNode.get(node.metadata.name ?? '') ?? []).toSorted(byAge);
    if (!shouldRun) {
      if (there.length > 0) count.misscheduled += 1;
      continue;
    }
    count.desired += 1;
    const pod = there.find((one) => isNew(one, hash)) ?? there[0];
    if (pod === undefined) continue;
    count.current += 1;
    if (there.some(isPodReady)) count.ready += 1;
    if (there.some((one) => isPodAvailable(one, minReadySeconds, now))) count.available += 1;
    if (isNew(pod, hash)) count.updated += 1;
  }
  const unavailable = count.desired - count.available;
  const { collisionCount } = set['status'] ?? {};
  return {
    currentNumberScheduled: count.current,
    numberMisscheduled: count.misscheduled,
    desiredNumberScheduled: count.desired,
    numberReady: count.ready,
    observedGeneration: set.metadata.generation ?? 0,
    ...(count.updated > 0 ? { updatedNumberScheduled: count.updated } : {}),
    ...(count.available > 0 ? { numberAvailable: count.available } : {}),
    ...(unavailable > 0 ? { numberUnavailable: unavailable } : {}),
    ...(collisionCount === undefined ? {} : { collisionCount }),
  };
}

export function reconcileDaemonSet(snapshot: DaemonSetSnapshot, now: number): Decision {
  const { set, nodes, revisions, isCurrent } = snapshot;
  if (isGoing(set)) return { effects: [] };
  const selector = labelSelectorFromObject(set['spec'].selector) ?? [];
  const claimed = claim({
    owner: set,
    selector,
    resource: podsResource,
    candidates: snapshot.pods,
  });
  const byNode = new Map<string, KubeObject[]>();
  for (const pod of claimed.mine) {
    const nodeName = nodeNameOf(pod);
    if (nodeName !== undefined) byNode.set(nodeName, [...(byNode.get(nodeName) ?? []), pod]);
  }
  const hashesInUse = new Set(claimed.mine.map((pod) => pod.metadata.labels?.[HASH_LABEL] ?? ''));
  const { collisionCount } = set['status'] ?? {};
  const { hash, effects: history } = planRevisions({
    owner: set,
    revisions,
    hashLabel: HASH_LABEL,
    isInUse: (one) => hashesInUse.has(one.metadata.labels?.[HASH_LABEL] ?? ''),
    collisionCount,
  });
  const desired = nodes.filter((node) => judgeNode(set, node).shouldRun).length;
  const minReadySeconds = Number(set['spec'].minReadySeconds ?? 0);
  const context = { set, hash, minReadySeconds, now, limits: limitsOf(set, desired) };
  const work: Work = { create: [], remove: [], events: [] };
  if (isCurrent) {
    for (const node of nodes) {
      tend(node, byNode.get(node.metadata.name ?? '') ?? [], context, work);
    }
    // The scheduler will never place pods that are meant for nodes that are gone.
    const known = new Set(nodes.map((node) => node.metadata.name ?? ''));
    for (const [nodeName, there] of byNode) {
      if (known.has(nodeName)) continue;
      work.remove.push(...there.filter((pod) => !pod['spec']?.nodeName && !isGoing(pod)));
    }
    const isRolling = set['spec'].updateStrategy?.type !== 'OnDelete';
    if (isRolling) roll(byNode, nodes, context, work);
  }
  const announce: Announcement = { about: set, noun: 'pod' };
  const effects: Effect[] = [...claimed.effects, ...history, ...work.events];
  for (const object of new Set(work.remove)) {
    effects.push({ kind: 'delete', resource: podsResource, object, announce, isExpected: true });
  }
  for (const nodeName of work.create.slice(0, BURST_MAX)) {
    const object = podFor(set, nodeName, hash);
    effects.push({ kind: 'create', resource: podsResource, object, announce, isExpected: true });
  }
  effects.push(...statusUpdate(daemonSets, set, statusOf(context, byNode, nodes)));
  return { effects, againInMs: nextAvailableInMs(claimed.mine, minReadySeconds, now) };
}
