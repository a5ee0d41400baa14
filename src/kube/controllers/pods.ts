// What several controllers ask of pods.
import type { KubeObject } from '#kube/meta/object.ts';

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly lastTransitionTime?: string;
}

export function isPodReady(pod: KubeObject): boolean {
  const conditions = (pod['status']?.conditions ?? []) as readonly Condition[];
  return conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
}

/** Ready for at least so long. */
export function isPodAvailable(pod: KubeObject, minReadySeconds: number, now: number): boolean {
  if (!isPodReady(pod)) return false;
  if (minReadySeconds === 0) return true;
  const conditions = (pod['status']?.conditions ?? []) as readonly Condition[];
  const since = conditions.find(({ type }) => type === 'Ready')?.lastTransitionTime;
  return since !== undefined && Date.parse(since) + minReadySeconds * 1_000 <= now;
}

export function isPodOver(pod: KubeObject): boolean {
  return ['Succeeded', 'Failed'].includes(String(pod['status']?.phase));
}

export function isPodActive(pod: KubeObject): boolean {
  return !isPodOver(pod) && pod.metadata.deletionTimestamp === undefined;
}

/** Which pods go first when there are too many: unplaced, not ready, younger (upstream's order). */
export function compareForDeletion(a: KubeObject, b: KubeObject): number {
  const rank = (pod: KubeObject): number[] => [
    pod['spec']?.nodeName ? 1 : 0,
    pod['status']?.phase === 'Running' ? 1 : 0,
    isPodReady(pod) ? 1 : 0,
    Number(pod.metadata.annotations?.['controller.kubernetes.io/pod-deletion-cost'] ?? 0),
    -Date.parse(pod.metadata.creationTimestamp ?? ''),
  ];
  const [x, y] = [rank(a), rank(b)];
  for (let i = 0; i < x.length; i++) {
    const difference = (x[i] ?? 0) - (y[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The pod that a template makes for an owner. */
export function podFromTemplate(
  template: KubeObject,
  owner: KubeObject,
  reference: object,
  name?: string,
): Record<string, unknown> {
  const { labels, annotations, finalizers } = template.metadata ?? {};
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...(name === undefined ? { generateName: `${owner.metadata.name}-` } : { name }),
      namespace: owner.metadata.namespace,
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
      ...(finalizers === undefined ? {} : { finalizers }),
      ownerReferences: [reference],
    },
    spec: template['spec'],
  };
}
