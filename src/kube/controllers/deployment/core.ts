// Decides what a Deployment needs: which ReplicaSet is its own, the sizes of the new and the old ones
// so that availability never falls below what it promises, revisions, status. Pure.
import type { KubeObject } from '#kube/meta/object.ts';
import { labelSelectorFromObject, matchesLabels } from '#kube/meta/selectors.ts';

type Json = Record<string, unknown>;

export const HASH_LABEL = 'pod-template-hash';
export const REVISION = 'deployment.kubernetes.io/revision';
export const HISTORY = 'deployment.kubernetes.io/revision-history';
export const DESIRED = 'deployment.kubernetes.io/desired-replicas';
export const MAX = 'deployment.kubernetes.io/max-replicas';

export interface Scale {
  readonly set: KubeObject;
  readonly replicas: number;
}

export interface DeploymentPlan {
  /** The new set is to be made, with so many replicas. */
  readonly create: { readonly replicas: number } | undefined;
  readonly scales: readonly Scale[];
  /** Annotations that the new set should carry. */
  readonly annotate: readonly {
    readonly set: KubeObject;
    readonly annotations: Record<string, string>;
  }[];
  /** Old sets beyond the history limit. */
  readonly remove: readonly KubeObject[];
  readonly adopt: readonly KubeObject[];
  readonly revision: string;
  readonly status: Json;
}

function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== 'object' || value === null) return value;
  const record = value as Json;
  const keys = Object.keys(record)
    .filter((key) => record[key] !== undefined)
    .sort();
  return Object.fromEntries(keys.map((key) => [key, canonical(record[key])]));
}

/** The template without the label that only its ReplicaSet carries. */
function templateText(template: KubeObject): string {
  const { [HASH_LABEL]: _hash, ...labels } = template.metadata?.labels ?? {};
  return JSON.stringify(canonical({ ...template, metadata: { ...template.metadata, labels } }));
}

const ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';

/** A short name for a template; the same template has the same one. */
export function templateHash(template: KubeObject, collisions: number): string {
  let hash = 0x811c9dc5 ^ collisions;
  for (const char of templateText(template)) {
    hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  }
  let text = '';
  for (let i = 0, rest = hash; i < 9; i++, rest = Math.imul(rest, 0x9e3779b1) >>> 3)
    text += ALPHABET[rest % ALPHABET.length];
  return text;
}

function replicasOf(set: KubeObject): number {
  return Number(set['spec']?.replicas ?? 0);
}

function availableOf(set: KubeObject): number {
  return Number(set['status']?.availableReplicas ?? 0);
}

const sum = (sets: readonly KubeObject[], of: (set: KubeObject) => number): number =>
  sets.reduce((total, set) => total + of(set), 0);

function resolve(value: unknown, total: number, roundUp: boolean): number {
  if (typeof value === 'number') return value;
  const percent = /^(\d+)%$/.exec(String(value ?? ''))?.[1];
  if (percent === undefined) return 0;
  const exact = (Number(percent) * total) / 100;
  return roundUp ? Math.ceil(exact) : Math.floor(exact);
}

export interface Bounds {
  readonly wanted: number;
  readonly maxSurge: number;
  readonly maxUnavailable: number;
}

export function boundsOf(deployment: KubeObject): Bounds {
  const wanted = Number(deployment['spec']?.replicas ?? 1);
  const rolling = deployment['spec']?.strategy?.rollingUpdate ?? {};
  if (deployment['spec']?.strategy?.type === 'Recreate')
    return { wanted, maxSurge: 0, maxUnavailable: wanted };
  const maxSurge = resolve(rolling.maxSurge ?? '25%', wanted, true);
  let maxUnavailable = Math.min(wanted, resolve(rolling.maxUnavailable ?? '25%', wanted, false));
  // Both zero would never move.
  if (maxSurge === 0 && maxUnavailable === 0) maxUnavailable = 1;
  return { wanted, maxSurge, maxUnavailable };
}

function revisionOf(set: KubeObject): number {
  return Number(set.metadata.annotations?.[REVISION] ?? 0);
}

/** Sizes during a rolling update: grow the new within the surge, shrink the old within availability. */
function planRolling(
  deployment: KubeObject,
  newSet: KubeObject | undefined,
  old: readonly KubeObject[],
): { scales: Scale[]; newReplicas: number } {
  const { wanted, maxSurge, maxUnavailable } = boundsOf(deployment);
  const all = newSet === undefined ? old : [newSet, ...old];
  const total = sum(all, replicasOf);
  const current = newSet === undefined ? 0 : replicasOf(newSet);
  let newReplicas = current;
  if (current > wanted) newReplicas = wanted;
  else if (current < wanted)
    newReplicas = Math.min(wanted, current + Math.max(0, wanted + maxSurge - total));
  const scales: Scale[] = [];
  if (newSet !== undefined && newReplicas !== current)
    scales.push({ set: newSet, replicas: newReplicas });
  scales.push(...shrinkOld({ wanted, maxUnavailable, newSet, newReplicas, old }));
  return { scales, newReplicas };
}

function shrinkOld(input: {
  wanted: number;
  maxUnavailable: number;
  newSet: KubeObject | undefined;
  newReplicas: number;
  old: readonly KubeObject[];
}): Scale[] {
  const { wanted, maxUnavailable, newSet, old } = input;
  const oldTotal = sum(old, replicasOf);
  if (oldTotal === 0) return [];
  const least = wanted - maxUnavailable;
  const newAvailable = newSet === undefined ? 0 : availableOf(newSet);
  const newCurrent = newSet === undefined ? 0 : replicasOf(newSet);
  const newUnavailable = newCurrent - newAvailable;
  let removable = oldTotal + newCurrent - least - newUnavailable;
  const scales: Scale[] = [];
  // What is not available in the old sets serves nobody: it goes first.
  const sizes = new Map(old.map((set) => [set, replicasOf(set)]));
  for (const set of old.toSorted((a, b) => revisionOf(a) - revisionOf(b))) {
    const broken = Math.max(0, replicasOf(set) - availableOf(set));
    const cut = Math.min(broken, Math.max(0, removable));
    sizes.set(set, (sizes.get(set) ?? 0) - cut);
    removable -= cut;
  }
  let spare = Math.max(0, sum(old, availableOf) + newAvailable - least);
  for (const set of old.toSorted((a, b) => revisionOf(a) - revisionOf(b))) {
    const size = sizes.get(set) ?? 0;
    const cut = Math.min(size, spare, Math.max(0, removable));
    sizes.set(set, size - cut);
    spare -= cut;
    removable -= cut;
  }
  for (const [set, size] of sizes)
    if (size !== replicasOf(set)) scales.push({ set, replicas: size });
  return scales;
}

function planRecreate(
  deployment: KubeObject,
  newSet: KubeObject | undefined,
  old: readonly KubeObject[],
  oldPods: number,
): { scales: Scale[]; newReplicas: number } {
  const { wanted } = boundsOf(deployment);
  const scales = old.filter((set) => replicasOf(set) > 0).map((set) => ({ set, replicas: 0 }));
  const isClear = scales.length === 0 && oldPods === 0;
  if (!isClear) return { scales, newReplicas: newSet === undefined ? 0 : replicasOf(newSet) };
  if (newSet !== undefined && replicasOf(newSet) !== wanted)
    return { scales: [{ set: newSet, replicas: wanted }], newReplicas: wanted };
  return { scales: [], newReplicas: wanted };
}

/** A change of size alone is shared out over the sets by their sizes. */
function planScaling(
  deployment: KubeObject,
  newSet: KubeObject | undefined,
  old: readonly KubeObject[],
): Scale[] {
  const { wanted, maxSurge } = boundsOf(deployment);
  const active = [newSet, ...old]
    .filter((set) => set !== undefined)
    .filter((set) => replicasOf(set) > 0);
  if (active.length <= 1) {
    const only = active[0] ?? newSet;
    return only !== undefined && replicasOf(only) !== wanted
      ? [{ set: only, replicas: wanted }]
      : [];
  }
  const allowed = wanted > 0 ? wanted + maxSurge : 0;
  const total = sum(active, replicasOf);
  let toAdd = allowed - total;
  const scales: Scale[] = [];
  const order = active.toSorted((a, b) => replicasOf(b) - replicasOf(a));
  for (const set of order) {
    const share = Math.round((replicasOf(set) * (allowed - total)) / Math.max(1, total));
    const change = toAdd >= 0 ? Math.min(share, toAdd) : Math.max(share, toAdd);
    toAdd -= change;
    if (change !== 0) scales.push({ set, replicas: Math.max(0, replicasOf(set) + change) });
  }
  return scales;
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly lastUpdateTime: string;
  readonly lastTransitionTime: string;
}

export interface DeploymentInput {
  readonly deployment: KubeObject;
  /** ReplicaSets of its namespace. */
  readonly sets: readonly KubeObject[];
  /** Pods of the old sets that still run (for Recreate). */
  readonly oldPods: (old: readonly KubeObject[]) => number;
  readonly time: string;
  readonly now: number;
}

function statusOf(
  input: DeploymentInput,
  newSet: KubeObject | undefined,
  all: readonly KubeObject[],
): Json {
  const { deployment, time, now } = input;
  const { wanted, maxUnavailable } = boundsOf(deployment);
  const total = sum(all, (set) => Number(set['status']?.replicas ?? 0));
  const available = sum(all, availableOf);
  const ready = sum(all, (set) => Number(set['status']?.readyReplicas ?? 0));
  const updated = newSet === undefined ? 0 : Number(newSet['status']?.replicas ?? 0);
  const before = deployment['status'] ?? {};
  const conditions = (before.conditions ?? []) as readonly Condition[];
  const keep = (type: string, status: string, reason: string, message: string): Condition => {
    const old = conditions.find((one) => one.type === type);
    if (
      old !== undefined &&
      old.status === status &&
      old.reason === reason &&
      old.message === message
    )
      return old;
    const lastTransitionTime =
      old !== undefined && old.status === status ? old.lastTransitionTime : time;
    return { type, status, lastUpdateTime: time, lastTransitionTime, reason, message };
  };
  const isAvailable = available >= wanted - maxUnavailable;
  const availability = isAvailable
    ? keep('Available', 'True', 'MinimumReplicasAvailable', 'Deployment has minimum availability.')
    : keep(
        'Available',
        'False',
        'MinimumReplicasUnavailable',
        'Deployment does not have minimum availability.',
      );
  const isComplete = updated === wanted && total === wanted && available === wanted;
  const name = newSet?.metadata.name ?? '';
  const progressing = conditions.find((one) => one.type === 'Progressing');
  const hasMoved =
    total !== (before.replicas ?? 0) ||
    updated !== (before.updatedReplicas ?? 0) ||
    available !== (before.availableReplicas ?? 0);
  const deadline = Number(deployment['spec']?.progressDeadlineSeconds ?? 600) * 1_000;
  const isLate =
    progressing !== undefined &&
    progressing.reason !== 'NewReplicaSetAvailable' &&
    now - Date.parse(progressing.lastUpdateTime) > deadline;
  let progress: Condition;
  if (deployment['spec']?.paused === true)
    progress = keep('Progressing', 'Unknown', 'DeploymentPaused', 'Deployment is paused');
  else if (isComplete)
    progress = keep(
      'Progressing',
      'True',
      'NewReplicaSetAvailable',
      `ReplicaSet "${name}" has successfully progressed.`,
    );
  else if (isLate && !hasMoved)
    progress = keep(
      'Progressing',
      'False',
      'ProgressDeadlineExceeded',
      `ReplicaSet "${name}" has timed out progressing.`,
    );
  else {
    const same = keep(
      'Progressing',
      'True',
      'ReplicaSetUpdated',
      `ReplicaSet "${name}" is progressing.`,
    );
    progress = hasMoved ? { ...same, lastUpdateTime: time } : same;
  }
  const unavailable = Math.max(0, total - available);
  return {
    observedGeneration: deployment.metadata.generation ?? 0,
    ...(total > 0 ? { replicas: total } : {}),
    ...(updated > 0 ? { updatedReplicas: updated } : {}),
    ...(ready > 0 ? { readyReplicas: ready } : {}),
    ...(available > 0 ? { availableReplicas: available } : {}),
    ...(unavailable > 0 ? { unavailableReplicas: unavailable } : {}),
    ...(before.collisionCount === undefined ? {} : { collisionCount: before.collisionCount }),
    conditions: [availability, progress],
  };
}

export function setsOf(
  deployment: KubeObject,
  sets: readonly KubeObject[],
): { mine: KubeObject[]; orphans: KubeObject[] } {
  const selector = labelSelectorFromObject(deployment['spec']?.selector) ?? [];
  const mine: KubeObject[] = [];
  const orphans: KubeObject[] = [];
  for (const set of sets) {
    const owner = set.metadata.ownerReferences?.find((one) => one.controller === true);
    if (owner?.uid === deployment.metadata.uid) mine.push(set);
    else if (
      owner === undefined &&
      set.metadata.deletionTimestamp === undefined &&
      matchesLabels(selector, set.metadata.labels)
    )
      orphans.push(set);
  }
  return { mine, orphans };
}

export function planDeployment(input: DeploymentInput): DeploymentPlan {
  const { deployment, sets } = input;
  const { mine, orphans } = setsOf(deployment, sets);
  const text = templateText(deployment['spec'].template);
  const newSet = mine
    .filter((set) => templateText(set['spec'].template) === text)
    .sort((a, b) =>
      (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? ''),
    )[0];
  const old = mine.filter((set) => set !== newSet);
  const highest = Math.max(0, ...old.map(revisionOf));
  const isNewest = newSet !== undefined && revisionOf(newSet) > highest;
  const revision = String(isNewest ? revisionOf(newSet) : highest + 1);
  const nothing = {
    create: undefined,
    scales: [],
    annotate: [],
    remove: [],
    adopt: orphans,
    revision,
    status: statusOf(input, newSet, mine),
  };
  if (deployment.metadata.deletionTimestamp !== undefined) return nothing;
  const { wanted, maxSurge } = boundsOf(deployment);
  const isPaused = deployment['spec']?.paused === true;
  const isResized = [newSet, ...old].some((set) => {
    const desired = set?.metadata.annotations?.[DESIRED];
    return (
      set !== undefined &&
      replicasOf(set) > 0 &&
      desired !== undefined &&
      Number(desired) !== wanted
    );
  });
  const planned =
    isPaused || isResized
      ? { scales: planScaling(deployment, newSet, old), newReplicas: 0 }
      : deployment['spec']?.strategy?.type === 'Recreate'
        ? planRecreate(deployment, newSet, old, input.oldPods(old))
        : planRolling(deployment, newSet, old);
  const marks = { [DESIRED]: String(wanted), [MAX]: String(wanted + maxSurge) };
  const annotate = mine
    .filter((set) => set === newSet || replicasOf(set) > 0)
    .map((set) => ({
      set,
      annotations: set === newSet ? { ...marks, [REVISION]: revision } : marks,
    }))
    .filter(({ set, annotations }) =>
      Object.entries(annotations).some(([key, value]) => set.metadata.annotations?.[key] !== value),
    );
  const limit = Number(deployment['spec']?.revisionHistoryLimit ?? 10);
  const idle = old.filter(
    (set) =>
      replicasOf(set) === 0 &&
      Number(set['status']?.replicas ?? 0) === 0 &&
      set.metadata.deletionTimestamp === undefined,
  );
  const remove = idle
    .toSorted((a, b) => revisionOf(a) - revisionOf(b))
    .slice(0, Math.max(0, idle.length - limit));
  const create =
    newSet === undefined && !isPaused && !isResized ? { replicas: planned.newReplicas } : undefined;
  return { ...nothing, create, scales: planned.scales, annotate, remove };
}
