// Decides what a node's condition means for it and its pods: taints, pods that are no longer counted as
// ready, and which pods are evicted when. Pure.
import { nodes, pods as podsResource } from '#kube/client/resources.ts';
import { conditionsOf, findCondition, timestamp, withCondition } from '#kube/meta/conditions.ts';
import { nothing, type Decision, type Effect } from '#kube/controllers/effects.ts';
import { same } from '#base/same.ts';
import { taintsOf, tolerates, type Taint, type Toleration } from '#kube/controllers/node-match.ts';
import { isGoing, isPodOver } from '#kube/controllers/pod-facts.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { isUnknown, leftMs, silence, type Health } from './health.ts';

const NOT_READY = 'node.kubernetes.io/not-ready';
const UNREACHABLE = 'node.kubernetes.io/unreachable';
const UNSCHEDULABLE = 'node.kubernetes.io/unschedulable';

const pressures: Readonly<Record<string, string>> = {
  MemoryPressure: 'node.kubernetes.io/memory-pressure',
  DiskPressure: 'node.kubernetes.io/disk-pressure',
  PIDPressure: 'node.kubernetes.io/pid-pressure',
  NetworkUnavailable: 'node.kubernetes.io/network-unavailable',
};

const ownKeys = new Set([NOT_READY, UNREACHABLE, UNSCHEDULABLE, ...Object.values(pressures)]);

export interface NodeSnapshot {
  readonly node: KubeObject;
  /** When its kubelet was heard of; absent of a node of an agent, whose master knows. */
  readonly health?: Health | undefined;
  /** No node is ready: more likely nobody hears them than all are gone, and none of their pods has to go. */
  readonly isCutOff?: boolean | undefined;
  /** When its pods may be told to go, if they are not yet; absent: now. */
  readonly evictInMs?: number | undefined;
  /** Those on it. */
  readonly pods: readonly KubeObject[];
}

/** Pods of the node have to go, and are not told yet. */
export function isToBeEvicted(node: KubeObject): boolean {
  const ready = findCondition(conditionsOf(node), 'Ready')?.status;
  return (ready === 'False' || ready === 'Unknown') && !isEvicted(node);
}

function isEvicted(node: KubeObject): boolean {
  return taintsOf(node).some(
    ({ key, effect }) => effect === 'NoExecute' && (key === NOT_READY || key === UNREACHABLE),
  );
}

function wantedTaints({ node, isCutOff, evictInMs = 0 }: NodeSnapshot, time: string): Taint[] {
  const conditions = conditionsOf(node);
  const ready = findCondition(conditions, 'Ready')?.status;
  const wanted: Taint[] = [];
  const key = ready === 'False' ? NOT_READY : ready === 'Unknown' ? UNREACHABLE : undefined;
  if (key !== undefined) {
    wanted.push({ key, effect: 'NoSchedule' });
    const hasTurn = evictInMs === 0 || isEvicted(node);
    if (isCutOff !== true && hasTurn) wanted.push({ key, effect: 'NoExecute' });
  }
  for (const [type, pressure] of Object.entries(pressures)) {
    if (findCondition(conditions, type)?.status === 'True') {
      wanted.push({ key: pressure, effect: 'NoSchedule' });
    }
  }
  if (node['spec']?.unschedulable === true) {
    wanted.push({ key: UNSCHEDULABLE, effect: 'NoSchedule' });
  }
  const old = taintsOf(node);
  return wanted.map(
    (taint) =>
      old.find((one) => one.key === taint.key && one.effect === taint.effect) ?? {
        ...taint,
        timeAdded: time,
      },
  );
}

function taintEffects(
  snapshot: NodeSnapshot,
  time: string,
): { taints: readonly Taint[]; effects: Effect[] } {
  const { node } = snapshot;
  const old = taintsOf(node);
  const taints = [...old.filter(({ key }) => !ownKeys.has(key)), ...wantedTaints(snapshot, time)];
  const sort = (list: readonly Taint[]): Taint[] =>
    list.toSorted((a, b) => (`${a.key}${a.effect}` < `${b.key}${b.effect}` ? -1 : 1));
  if (same(sort(old), sort(taints))) return { taints: old, effects: [] };
  const { resourceVersion } = node.metadata;
  const patch = {
    metadata: { resourceVersion },
    spec: { taints: taints.length === 0 ? null : taints },
  };
  return {
    taints,
    effects: [{ kind: 'patch', resource: nodes, object: node, type: 'merge', patch }],
  };
}

/** Endpoints must not send anything to a node that does not answer. */
function markNotReady(pod: KubeObject, time: string): Effect[] {
  const conditions = conditionsOf(pod);
  if (findCondition(conditions, 'Ready')?.status !== 'True') return [];
  const next = withCondition(conditions, { type: 'Ready', status: 'False' }, time);
  const status = { ...pod['status'], conditions: next };
  const message = 'Node is not ready';
  return [
    { kind: 'update', resource: podsResource, object: { ...pod, status }, subresource: 'status' },
    { kind: 'event', about: pod, type: 'Warning', reason: 'NodeNotReady', message },
  ];
}

/** When the pod must go because of the node's NoExecute taints: 0 now, undefined never. */
export function evictionAt(
  pod: KubeObject,
  taints: readonly Taint[],
  now: number,
): number | undefined {
  const expelling = taints.filter(({ effect }) => effect === 'NoExecute');
  if (expelling.length === 0) return undefined;
  const tolerations = (pod['spec']?.tolerations ?? []) as readonly Toleration[];
  let least: number | undefined;
  for (const taint of expelling) {
    const matching = tolerations.filter((one) => tolerates(one, taint));
    if (matching.length === 0) return 0;
    const since = taint.timeAdded === undefined ? now : Date.parse(taint.timeAdded);
    for (const { tolerationSeconds } of matching) {
      if (tolerationSeconds === undefined || tolerationSeconds === null) continue;
      const at = since + Math.max(0, tolerationSeconds) * 1_000;
      if (least === undefined || at < least) least = at;
    }
  }
  return least;
}

function evict(pod: KubeObject, time: string): Effect[] {
  const { namespace, name } = pod.metadata;
  const condition = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'DeletionByTaintManager',
    message: 'Taint manager: deleting due to NoExecute taint',
    observedGeneration: pod.metadata.generation,
  } as const;
  const conditions = withCondition(conditionsOf(pod), condition, time);
  const message = `Marking for deletion Pod ${namespace}/${name}`;
  return [
    { kind: 'event', about: pod, type: 'Normal', reason: 'TaintManagerEviction', message },
    {
      kind: 'patch',
      resource: podsResource,
      object: pod,
      type: 'merge',
      patch: { metadata: { uid: pod.metadata.uid }, status: { conditions } },
      subresource: 'status',
    },
    { kind: 'delete', resource: podsResource, object: pod },
  ];
}

/** What is said of the node's silence, or when to listen again. */
function listen({ node, health }: NodeSnapshot, now: number): Decision {
  if (health === undefined || isUnknown(node)) return nothing;
  const left = leftMs(health, now);
  return left > 0 ? { effects: [], againInMs: left } : silence(node, now);
}

export function reconcileNode(snapshot: NodeSnapshot, now: number): Decision {
  const { node, pods } = snapshot;
  const time = timestamp(now);
  const { taints, effects } = taintEffects(snapshot, time);
  const silent = listen(snapshot, now);
  const all = [...silent.effects, ...effects];
  const ready = findCondition(conditionsOf(node), 'Ready')?.status;
  const isNotReady = ready === 'False' || ready === 'Unknown';
  const isNew =
    effects.length > 0 &&
    isNotReady &&
    !taintsOf(node).some(({ key }) => key === NOT_READY || key === UNREACHABLE);
  if (isNew) {
    const message = `Node ${node.metadata.name} status is now: NodeNotReady`;
    all.push({ kind: 'event', about: node, type: 'Normal', reason: 'NodeNotReady', message });
  }
  const { isCutOff, evictInMs = 0 } = snapshot;
  const turnInMs = isCutOff === true || evictInMs === 0 ? Infinity : evictInMs;
  const againInMs = Math.min(silent.againInMs ?? Infinity, turnInMs);
  let next = againInMs === Infinity ? undefined : now + againInMs;
  for (const pod of pods) {
    if (isPodOver(pod)) continue;
    const at = isGoing(pod) ? undefined : evictionAt(pod, taints, now);
    if (at !== undefined && at <= now) {
      all.push(...evict(pod, time));
      continue;
    }
    if (at !== undefined && (next === undefined || at < next)) next = at;
    // A kubelet that is there says itself which of its pods are ready.
    if (ready === 'Unknown') all.push(...markNotReady(pod, time));
  }
  return { effects: all, againInMs: next === undefined ? undefined : next - now };
}
