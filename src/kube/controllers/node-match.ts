// Whether a pod may be on a node: node selector, required node affinity, taints. Pure; what a controller
// needs to know of it (the scheduler has its own, incremental one).
import { isMet } from '#kube/meta/requirements.ts';
import type { KubeObject } from '#kube/meta/object.ts';

export interface Taint {
  readonly key: string;
  readonly value?: string | undefined;
  readonly effect: string;
  readonly timeAdded?: string | undefined;
}

export interface Toleration {
  readonly key?: string | undefined;
  readonly operator?: string | undefined;
  readonly value?: string | undefined;
  readonly effect?: string | undefined;
  readonly tolerationSeconds?: number | undefined;
}

interface Requirement {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[];
}

interface Term {
  readonly matchExpressions?: readonly Requirement[];
  readonly matchFields?: readonly Requirement[];
}

export function tolerates(toleration: Toleration, taint: Taint): boolean {
  const { key = '', operator = 'Equal', value = '', effect = '' } = toleration;
  if (effect !== '' && effect !== taint.effect) return false;
  if (key !== '' && key !== taint.key) return false;
  if (operator === 'Exists') return true;
  if (key === '') return false;
  if (operator === 'Equal') return value === (taint.value ?? '');
  const [a, b] = [Number(taint.value), Number(value)];
  if (!Number.isFinite(a) || !Number.isFinite(b)) return false;
  return operator === 'Gt' ? a > b : operator === 'Lt' && a < b;
}

export function taintsOf(node: KubeObject): readonly Taint[] {
  return (node['spec']?.taints ?? []) as readonly Taint[];
}

export function untolerated(
  taints: readonly Taint[],
  tolerations: readonly Toleration[],
  effects: readonly string[],
): Taint | undefined {
  return taints.find(
    (taint) => effects.includes(taint.effect) && !tolerations.some((one) => tolerates(one, taint)),
  );
}

function isTermMet(term: Term, node: KubeObject): boolean {
  const { matchExpressions = [], matchFields = [] } = term;
  // A term without requirements matches nothing.
  if (matchExpressions.length === 0 && matchFields.length === 0) return false;
  return (
    matchExpressions.every((one) => isMet(one, node.metadata.labels?.[one.key])) &&
    matchFields.every((one) => isMet(one, node.metadata.name))
  );
}

/** nodeSelector and required node affinity. */
export function isNodeSelected(spec: KubeObject['spec'], node: KubeObject): boolean {
  const selector = Object.entries((spec?.nodeSelector ?? {}) as Record<string, string>);
  if (!selector.every(([key, value]) => node.metadata.labels?.[key] === value)) return false;
  const required = spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  if (required === undefined) return true;
  return ((required.nodeSelectorTerms ?? []) as Term[]).some((term) => isTermMet(term, node));
}
