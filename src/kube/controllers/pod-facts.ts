// What several controllers ask of pods.
import type { KubeObject } from '#kube/meta/object.ts';
import { conditionsOf, findCondition } from '#kube/meta/conditions.ts';
import { ownerReference } from './owners.ts';

export function isPodReady(pod: KubeObject): boolean {
  return findCondition(conditionsOf(pod), 'Ready')?.status === 'True';
}

function readySince(pod: KubeObject): number {
  const condition = findCondition(conditionsOf(pod), 'Ready');
  return condition?.status === 'True' ? Date.parse(condition.lastTransitionTime ?? '') : 0;
}

/** Ready for at least so long. */
export function isPodAvailable(pod: KubeObject, minReadySeconds: number, now: number): boolean {
  if (!isPodReady(pod)) return false;
  return minReadySeconds === 0 || readySince(pod) + minReadySeconds * 1_000 <= now;
}

/** How long until a pod that is ready becomes available by time alone; the shortest of all. */
export function nextAvailableInMs(
  pods: readonly KubeObject[],
  minReadySeconds: number,
  now: number,
): number | undefined {
  if (minReadySeconds === 0) return undefined;
  let next: number | undefined;
  for (const pod of pods) {
    if (!isPodReady(pod) || isPodAvailable(pod, minReadySeconds, now)) continue;
    const inMs = readySince(pod) + minReadySeconds * 1_000 - now;
    if (next === undefined || inMs < next) next = inMs;
  }
  return next === undefined ? undefined : Math.max(1, next);
}

export function phaseOf(pod: KubeObject): string {
  return String(pod['status']?.phase ?? 'Pending');
}

export function isPodOver(pod: KubeObject): boolean {
  return ['Succeeded', 'Failed'].includes(phaseOf(pod));
}

export function isGoing(object: KubeObject): boolean {
  return object.metadata.deletionTimestamp !== undefined;
}

export function isPodActive(pod: KubeObject): boolean {
  return !isPodOver(pod) && !isGoing(pod);
}

function restartsOf(pod: KubeObject): number {
  const statuses = (pod['status']?.containerStatuses ?? []) as { restartCount?: number }[];
  return Math.max(0, ...statuses.map(({ restartCount = 0 }) => restartCount));
}

const phaseRank: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };

/** Ages are compared by their order of magnitude: seconds do not matter between days. */
function ageRank(since: number, now: number): number {
  return since === 0 ? -1 : Math.floor(Math.log2(Math.max(1, (now - since) / 1_000)));
}

/**
 * Which pods go first when there are too many (upstream's order): unplaced, not running, not ready, of
 * low deletion cost, with siblings on the node, ready for less long, restarted more, younger.
 */
export function byDeletionOrder(
  pods: readonly KubeObject[],
  now: number,
  siblings: readonly KubeObject[] = pods,
): KubeObject[] {
  const onNode = new Map<string, number>();
  for (const pod of siblings) {
    const node = String(pod['spec']?.nodeName ?? '');
    onNode.set(node, (onNode.get(node) ?? 0) + 1);
  }
  const rank = (pod: KubeObject): number[] => {
    const { annotations, creationTimestamp = '' } = pod.metadata;
    return [
      pod['spec']?.nodeName ? 1 : 0,
      phaseRank[phaseOf(pod)] ?? 0,
      isPodReady(pod) ? 1 : 0,
      Number(annotations?.['controller.kubernetes.io/pod-deletion-cost'] ?? 0),
      -(onNode.get(String(pod['spec']?.nodeName ?? '')) ?? 0),
      ageRank(readySince(pod), now),
      -restartsOf(pod),
      -Date.parse(creationTimestamp),
    ];
  };
  const ranked = pods.map((pod) => ({ pod, rank: rank(pod) }));
  ranked.sort((a, b) => {
    for (let i = 0; i < a.rank.length; i++) {
      const difference = (a.rank[i] ?? 0) - (b.rank[i] ?? 0);
      if (difference !== 0) return difference;
    }
    return (a.pod.metadata.name ?? '') < (b.pod.metadata.name ?? '') ? -1 : 1;
  });
  return ranked.map(({ pod }) => pod);
}

export interface PodPattern {
  readonly template: { readonly metadata?: KubeObject['metadata']; readonly spec?: unknown };
  readonly owner: KubeObject;
  /** Otherwise the server makes one of the owner's name. */
  readonly name?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly finalizers?: readonly string[] | undefined;
}

/** Names that are made have room for their ending. */
function prefixOf(name: string): string {
  return `${name}-`;
}

/** The pod that a template makes for an owner. */
export function podFromTemplate(pattern: PodPattern): KubeObject {
  const { template, owner, name } = pattern;
  const labels = { ...template.metadata?.labels, ...pattern.labels };
  const annotations = { ...template.metadata?.annotations, ...pattern.annotations };
  const finalizers = [...(template.metadata?.finalizers ?? []), ...(pattern.finalizers ?? [])];
  const { namespace, name: ownerName = '' } = owner.metadata;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...(name === undefined ? { generateName: prefixOf(ownerName) } : { name }),
      ...(namespace === undefined ? {} : { namespace }),
      ...(Object.keys(labels).length === 0 ? {} : { labels }),
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
      ...(finalizers.length === 0 ? {} : { finalizers }),
      ownerReferences: [ownerReference(owner)],
    },
    spec: structuredClone(template.spec),
  };
}
