// Decides for a Deployment: the ReplicaSet of its present template, the sizes of all its sets, their
// history, its status. Pure; one step at a time, each from a fresh look.
import { deployments, replicaSets } from '#kube/client/resources.ts';
import { conditionsOf, findCondition, type Condition } from '#kube/meta/conditions.ts';
import { statusUpdate, type Decision, type Effect } from '#kube/controllers/effects.ts';
import { same } from '#base/same.ts';
import { claim } from '#kube/controllers/owners.ts';
import { isGoing } from '#kube/controllers/pod-facts.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { labelSelectorFromObject } from '#kube/meta/selectors.ts';
import {
  annotationsFor,
  boundsOf,
  findNewSet,
  newSet,
  oldestFirst,
  replicasOf,
  REVISION,
  revisionOf,
  sizeAnnotations,
} from './sets.ts';
import {
  isResized,
  newReplicas,
  rollingSizes,
  scalingSizes,
  type SetsOf,
  type Sizes,
} from './sizes.ts';
import { deploymentStatus, msToDeadline, progressWord } from './status.ts';

export interface DeploymentSnapshot {
  readonly deployment: KubeObject;
  /** Its sets, and those of its namespace without a controller. */
  readonly sets: readonly KubeObject[];
  /** Whether pods of the sets still run, or end. */
  readonly hasPods: (sets: readonly KubeObject[]) => boolean;
}

interface Plan {
  readonly effects: Effect[];
  readonly conditions: readonly Condition[];
  readonly fresh: KubeObject | undefined;
  /** The new set is there and needs no other change: it may be resized from this look. */
  readonly maySize: boolean;
  /** Of the new set; undefined while there is none and none is made. */
  readonly revision?: bigint | undefined;
}

function resize(deployment: KubeObject, sizes: Sizes): Effect[] {
  const effects: Effect[] = [];
  const annotations = sizeAnnotations(boundsOf(deployment));
  for (const [set, size] of sizes) {
    const before = replicasOf(set);
    const isMarked = Object.entries(annotations).every(
      ([key, value]) => set.metadata.annotations?.[key] === value,
    );
    if (size === before && isMarked) continue;
    const { resourceVersion, name } = set.metadata;
    const patch = { metadata: { resourceVersion, annotations }, spec: { replicas: size } };
    effects.push({ kind: 'patch', resource: replicaSets, object: set, type: 'merge', patch });
    if (size === before) continue;
    const word = size > before ? 'up' : 'down';
    const message = `Scaled ${word} replica set ${name} from ${before} to ${size}`;
    effects.push(scalingEvent(deployment, message));
  }
  return effects;
}

function scalingEvent(about: KubeObject, message: string): Effect {
  return { kind: 'event', about, type: 'Normal', reason: 'ScalingReplicaSet', message };
}

/** The status, and the revision of the new set with it: on its own it would count as another generation. */
function statusWithRevision(
  deployment: KubeObject,
  status: Readonly<Record<string, unknown>>,
  revision: bigint | undefined,
): Effect[] {
  const { metadata } = deployment;
  if (revision === undefined || metadata.annotations?.[REVISION] === String(revision))
    return statusUpdate(deployments, deployment, status);
  const annotations = { ...metadata.annotations, [REVISION]: String(revision) };
  const object = { ...deployment, metadata: { ...metadata, annotations }, status };
  return [{ kind: 'update', resource: deployments, object, subresource: 'status' }];
}

/** Makes the new set, or brings the annotations of the one that is there up to date. */
function ensureNewSet(sets: SetsOf, mayCreate: boolean, now: number): Plan {
  const { deployment, fresh, old } = sets;
  const conditions = conditionsOf(deployment);
  const newest = old.map(revisionOf).reduce((most, each) => (each > most ? each : most), 0n);
  const next = newest + 1n;
  if (fresh !== undefined) {
    const revision = revisionOf(fresh) > next ? revisionOf(fresh) : next;
    const annotations = annotationsFor(deployment, fresh, revision);
    const minReadySeconds = deployment['spec'].minReadySeconds ?? 0;
    const isMarked =
      same(annotations, fresh.metadata.annotations) &&
      (fresh['spec'].minReadySeconds ?? 0) === minReadySeconds;
    const patch = { metadata: { annotations }, spec: { minReadySeconds } };
    const effects: Effect[] = isMarked
      ? []
      : [{ kind: 'patch', resource: replicaSets, object: fresh, type: 'merge', patch }];
    const message = `Found new replica set "${fresh.metadata.name}"`;
    const word = { status: 'True', reason: 'FoundNewReplicaSet', message } as const;
    const isSilent = findCondition(conditions, 'Progressing') === undefined;
    return {
      effects,
      conditions: isSilent ? progressWord(deployment, word, now) : conditions,
      fresh,
      maySize: isMarked,
      revision,
    };
  }
  if (!mayCreate) return { effects: [], conditions, fresh, maySize: true };
  const replicas = newReplicas(sets, 0);
  const made = newSet(deployment, { replicas, revision: next });
  const effects: Effect[] = [{ kind: 'create', resource: replicaSets, object: made }];
  if (replicas > 0) {
    const message = `Scaled up replica set ${made.metadata.name} from 0 to ${replicas}`;
    effects.push(scalingEvent(deployment, message));
  }
  const message = `Created new replica set "${made.metadata.name}"`;
  const word = { status: 'True', reason: 'NewReplicaSetCreated', message } as const;
  const told = progressWord(deployment, word, now);
  return { effects, conditions: told, fresh: made, maySize: false, revision: next };
}

function byRevision(a: KubeObject, b: KubeObject): number {
  return Number(revisionOf(a) > revisionOf(b)) - Number(revisionOf(a) < revisionOf(b));
}

function history({ deployment, old }: SetsOf): Effect[] {
  const limit = Number(deployment['spec'].revisionHistoryLimit ?? 10);
  const idle = old.filter(
    (set) =>
      replicasOf(set) === 0 &&
      Number(set['status']?.replicas ?? 0) === 0 &&
      Number(set['status']?.observedGeneration ?? 0) >= (set.metadata.generation ?? 0) &&
      !isGoing(set),
  );
  const oldest = idle.toSorted((a, b) => byRevision(a, b) || oldestFirst(a, b));
  return oldest
    .slice(0, Math.max(0, idle.length - limit))
    .map((object) => ({ kind: 'delete', resource: replicaSets, object }));
}

function pauseConditions(deployment: KubeObject, now: number): readonly Condition[] {
  const conditions = conditionsOf(deployment);
  const progress = findCondition(conditions, 'Progressing');
  const isPaused = deployment['spec'].paused === true;
  const wasPaused = progress?.reason === 'DeploymentPaused';
  if (progress?.reason === 'ProgressDeadlineExceeded' || isPaused === wasPaused) return conditions;
  const word = isPaused
    ? ({ status: 'Unknown', reason: 'DeploymentPaused', message: 'Deployment is paused' } as const)
    : ({
        status: 'Unknown',
        reason: 'DeploymentResumed',
        message: 'Deployment is resumed',
      } as const);
  return progressWord(deployment, word, now);
}

function recreate(sets: SetsOf, snapshot: DeploymentSnapshot, now: number): Plan {
  const { deployment, fresh, old } = sets;
  const conditions = conditionsOf(deployment);
  const shrinking = old.filter((set) => replicasOf(set) > 0);
  if (shrinking.length > 0) {
    const effects = resize(deployment, new Map(shrinking.map((set) => [set, 0])));
    return { effects, conditions, fresh, maySize: false };
  }
  // Nothing new before the last of the old is gone.
  if (snapshot.hasPods(old)) return { effects: [], conditions, fresh, maySize: false };
  const plan = ensureNewSet(sets, true, now);
  if (fresh === undefined || !plan.maySize) return plan;
  const { wanted } = boundsOf(deployment);
  return { ...plan, effects: [...plan.effects, ...resize(deployment, new Map([[fresh, wanted]]))] };
}

function roll(sets: SetsOf, now: number): Plan {
  const plan = ensureNewSet(sets, true, now);
  if (!plan.maySize) return plan;
  const sizes = rollingSizes(sets);
  return { ...plan, effects: [...plan.effects, ...resize(sets.deployment, sizes)] };
}

function plan(sets: SetsOf, snapshot: DeploymentSnapshot, now: number): Plan {
  const { deployment } = sets;
  if (deployment['spec'].paused === true || isResized(sets)) {
    const found = ensureNewSet(sets, false, now);
    if (!found.maySize) return found;
    return { ...found, effects: [...found.effects, ...resize(deployment, scalingSizes(sets))] };
  }
  return deployment['spec'].strategy?.type === 'Recreate'
    ? recreate(sets, snapshot, now)
    : roll(sets, now);
}

export function reconcileDeployment(snapshot: DeploymentSnapshot, now: number): Decision {
  const conditions = pauseConditions(snapshot.deployment, now);
  const before = snapshot.deployment;
  const status = { ...before['status'], ...(conditions.length > 0 ? { conditions } : {}) };
  const deployment: KubeObject = { ...before, status };
  const selector = labelSelectorFromObject(deployment['spec'].selector) ?? [];
  const claimed = claim({
    owner: deployment,
    selector,
    resource: replicaSets,
    candidates: snapshot.sets,
  });
  const fresh = findNewSet(deployment, claimed.mine);
  const old = claimed.mine.filter((set) => set !== fresh);
  const sets: SetsOf = { deployment, fresh, old };
  const planned: Plan = isGoing(deployment)
    ? { effects: [], conditions, fresh, maySize: false }
    : plan(sets, snapshot, now);
  const next = deploymentStatus({
    deployment: before,
    fresh: planned.fresh,
    sets: claimed.mine,
    conditions: planned.conditions,
    now,
  });
  const again = msToDeadline(deployment, (next['conditions'] ?? []) as Condition[], now);
  // The status is written against the version that was looked at, before patches change it.
  const effects: Effect[] = [
    ...claimed.effects,
    ...statusWithRevision(before, next, planned.revision),
    ...planned.effects,
    ...(isGoing(deployment) ? [] : history(sets)),
  ];
  return { effects, againInMs: again === undefined || again === 0 ? undefined : again };
}
