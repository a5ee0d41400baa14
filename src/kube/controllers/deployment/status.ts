// The status of a Deployment: counts, and the conditions that kubectl rollout status waits for. Pure.
import {
  conditionsOf,
  findCondition,
  timestamp,
  withoutCondition,
  type Condition,
} from '#kube/meta/conditions.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { availableOf, boundsOf, replicasOf, sum } from './sets.ts';

type Status = Readonly<Record<string, unknown>>;

const count = (set: KubeObject | undefined, field: string): number =>
  Number(set?.['status']?.[field] ?? 0);

/** Unlike other conditions these have a time of their last word, which moves with every change. */
function withWord(
  conditions: readonly Condition[],
  next: Omit<Condition, 'lastTransitionTime' | 'lastUpdateTime'>,
  options: { now: string; isFresh?: boolean },
): readonly Condition[] {
  const { now, isFresh = false } = options;
  const old = findCondition(conditions, next.type);
  const isSameWord = old?.status === next.status && old.reason === next.reason;
  if (isSameWord && !isFresh) return conditions;
  const lastTransitionTime = old?.status === next.status ? (old.lastTransitionTime ?? now) : now;
  const set: Condition = { ...next, lastUpdateTime: now, lastTransitionTime };
  return [...withoutCondition(conditions, next.type), set];
}

export interface StatusInput {
  readonly deployment: KubeObject;
  readonly fresh: KubeObject | undefined;
  readonly sets: readonly KubeObject[];
  /** Conditions that this pass has already set. */
  readonly conditions: readonly Condition[];
  readonly now: number;
}

function counts({ deployment, fresh, sets }: StatusInput) {
  const available = sum(sets, availableOf);
  const total = sum(sets, replicasOf);
  const { collisionCount } = deployment['status'] ?? {};
  return {
    observedGeneration: deployment.metadata.generation ?? 0,
    replicas: sum(sets, (set) => count(set, 'replicas')),
    updatedReplicas: count(fresh, 'replicas'),
    readyReplicas: sum(sets, (set) => count(set, 'readyReplicas')),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, total - available),
    terminatingReplicas: sum(sets, (set) => count(set, 'terminatingReplicas')),
    collisionCount: collisionCount as number | undefined,
  };
}

type Counts = ReturnType<typeof counts>;

function isComplete(deployment: KubeObject, now: Counts): boolean {
  const { wanted } = boundsOf(deployment);
  return (
    now.updatedReplicas === wanted &&
    now.replicas === wanted &&
    now.availableReplicas === wanted &&
    now.observedGeneration >= (deployment.metadata.generation ?? 0)
  );
}

function hasProgressed(deployment: KubeObject, now: Counts): boolean {
  const old = deployment['status'] ?? {};
  const before = (field: string): number => Number(old[field] ?? 0);
  return (
    now.updatedReplicas > before('updatedReplicas') ||
    now.replicas - now.updatedReplicas < before('replicas') - before('updatedReplicas') ||
    now.readyReplicas > before('readyReplicas') ||
    now.availableReplicas > before('availableReplicas')
  );
}

/** Until the rollout is late: 0 when it is, undefined when it has no deadline or none is running. */
export function msToDeadline(
  deployment: KubeObject,
  conditions: readonly Condition[],
  now: number,
): number | undefined {
  const seconds = deployment['spec'].progressDeadlineSeconds;
  if (seconds === undefined || seconds === null || seconds === 0x7fff_ffff) return undefined;
  const progress = findCondition(conditions, 'Progressing');
  if (progress === undefined || progress.reason === 'NewReplicaSetAvailable') return undefined;
  if (progress.reason === 'ProgressDeadlineExceeded') return 0;
  if (deployment['spec'].paused === true) return undefined;
  const since = Date.parse(progress.lastUpdateTime ?? '');
  return Math.max(0, since + Number(seconds) * 1_000 - now);
}

function progress(input: StatusInput, now: Counts): readonly Condition[] {
  const { deployment, fresh } = input;
  const time = timestamp(input.now);
  let { conditions } = input;
  if (deployment['spec'].progressDeadlineSeconds === undefined) return conditions;
  const current = findCondition(conditions, 'Progressing');
  const isSettled =
    now.replicas === now.updatedReplicas && current?.reason === 'NewReplicaSetAvailable';
  if (isSettled || deployment['spec'].paused === true) return conditions;
  const what =
    fresh === undefined
      ? `Deployment "${deployment.metadata.name}"`
      : `ReplicaSet "${fresh.metadata.name}"`;
  const word = (status: 'True' | 'False', reason: string, end: string, isFresh: boolean): void => {
    const next = { type: 'Progressing', status, reason, message: `${what} ${end}` } as const;
    conditions = withWord(conditions, next, { now: time, isFresh });
  };
  if (isComplete(deployment, now)) {
    word('True', 'NewReplicaSetAvailable', 'has successfully progressed.', false);
  } else if (hasProgressed(deployment, now)) {
    word('True', 'ReplicaSetUpdated', 'is progressing.', true);
  } else if (msToDeadline(deployment, conditions, input.now) === 0) {
    word('False', 'ProgressDeadlineExceeded', 'has timed out progressing.', false);
  }
  return conditions;
}

/** A set that cannot make its pods says why; the deployment passes it on. */
function failure(input: StatusInput, conditions: readonly Condition[]): readonly Condition[] {
  const { fresh, sets } = input;
  const of = (set: KubeObject | undefined): Condition | undefined =>
    set === undefined ? undefined : findCondition(conditionsOf(set), 'ReplicaFailure');
  const found = of(fresh) ?? sets.map(of).find((one) => one !== undefined);
  if (found === undefined) return withoutCondition(conditions, 'ReplicaFailure');
  const { type, status, reason, message } = found;
  return withWord(conditions, { type, status, reason, message }, { now: timestamp(input.now) });
}

export function deploymentStatus(input: StatusInput): Status {
  const { deployment } = input;
  const now = counts(input);
  const { wanted, maxUnavailable } = boundsOf(deployment);
  const isAvailable = now.availableReplicas >= wanted - maxUnavailable;
  const available = isAvailable
    ? ({
        type: 'Available',
        status: 'True',
        reason: 'MinimumReplicasAvailable',
        message: 'Deployment has minimum availability.',
      } as const)
    : ({
        type: 'Available',
        status: 'False',
        reason: 'MinimumReplicasUnavailable',
        message: 'Deployment does not have minimum availability.',
      } as const);
  const time = timestamp(input.now);
  let conditions = withWord(input.conditions, available, { now: time });
  conditions = progress({ ...input, conditions }, now);
  conditions = failure(input, conditions);
  const { observedGeneration, terminatingReplicas, collisionCount, ...numbers } = now;
  const shown = Object.entries(numbers).filter(([, number]) => number > 0);
  return {
    observedGeneration,
    ...Object.fromEntries(shown),
    terminatingReplicas,
    ...(collisionCount === undefined ? {} : { collisionCount }),
    ...(conditions.length > 0 ? { conditions } : {}),
  };
}

/** The words for pausing, and for a new set that was made or found. */
export function progressWord(
  deployment: KubeObject,
  word: { status: 'True' | 'Unknown'; reason: string; message: string },
  now: number,
): readonly Condition[] {
  const options = { now: timestamp(now) };
  return withWord(conditionsOf(deployment), { type: 'Progressing', ...word }, options);
}
