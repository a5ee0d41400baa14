// Decides how many pods a PodDisruptionBudget lets go now; the eviction subresource asks its status. Pure.
import { podDisruptionBudgets } from '#kube/client/resources.ts';
import { conditionsOf, timestamp, withCondition } from '#kube/meta/conditions.ts';
import { statusUpdate, type Decision } from '#kube/controllers/effects.ts';
import { scaledValue } from '#kube/controllers/intstr.ts';
import { isGoing, isPodOver, isPodReady } from '#kube/controllers/pod-facts.ts';
import type { KubeObject } from '#kube/meta/object.ts';

/** An eviction that was allowed and of which nothing was seen for so long did not happen. */
const DELETION_MS_MAX = 2 * 60_000;

export interface BudgetSnapshot {
  readonly budget: KubeObject;
  /** Those its selector matches. */
  readonly pods: readonly KubeObject[];
  /** How many pods their controllers want, each controller once; undefined when one has no scale. */
  readonly scale: number | undefined;
}

/** Evictions that the API server has allowed and that are on their way. */
function disrupted(
  budget: KubeObject,
  pods: readonly KubeObject[],
  now: number,
): Readonly<Record<string, string>> {
  const old = (budget['status']?.disruptedPods ?? {}) as Record<string, string>;
  return Object.fromEntries(
    Object.entries(old).filter(([name, since]) => {
      const pod = pods.find((one) => one.metadata.name === name);
      return pod !== undefined && !isGoing(pod) && now - Date.parse(since) < DELETION_MS_MAX;
    }),
  );
}

function expectation(snapshot: BudgetSnapshot): { expected: number; desired: number } | undefined {
  const { budget, pods, scale } = snapshot;
  const { minAvailable, maxUnavailable } = budget['spec'];
  if (maxUnavailable !== undefined && maxUnavailable !== null) {
    if (scale === undefined) return undefined;
    const away = scaledValue(maxUnavailable, scale, 'up');
    return { expected: scale, desired: Math.max(0, scale - away) };
  }
  if (typeof minAvailable === 'string') {
    if (scale === undefined) return undefined;
    return { expected: scale, desired: scaledValue(minAvailable, scale, 'up') };
  }
  return { expected: pods.length, desired: Number(minAvailable ?? 1) };
}

export function reconcileBudget(snapshot: BudgetSnapshot, now: number): Decision {
  const { budget } = snapshot;
  const pods = snapshot.pods.filter((pod) => !isPodOver(pod));
  const time = timestamp(now);
  const wanted = expectation({ ...snapshot, pods });
  const disruptedPods = disrupted(budget, pods, now);
  const observedGeneration = budget.metadata.generation ?? 0;
  if (wanted === undefined) {
    const message = 'found no controllers for pods';
    const condition = {
      type: 'DisruptionAllowed',
      status: 'False',
      reason: 'SyncFailed',
      message,
      observedGeneration,
    } as const;
    const conditions = withCondition(conditionsOf(budget), condition, time);
    const status = { ...budget['status'], disruptionsAllowed: 0, observedGeneration, conditions };
    return { effects: statusUpdate(podDisruptionBudgets, budget, status) };
  }
  const { expected, desired } = wanted;
  const healthy = pods.filter(
    (pod) =>
      !isGoing(pod) && isPodReady(pod) && disruptedPods[pod.metadata.name ?? ''] === undefined,
  ).length;
  const allowed = expected <= 0 ? 0 : Math.max(0, healthy - desired);
  const condition = {
    type: 'DisruptionAllowed',
    status: allowed > 0 ? 'True' : 'False',
    reason: allowed > 0 ? 'SufficientPods' : 'InsufficientPods',
    message: '',
    observedGeneration,
  } as const;
  const conditions = withCondition(conditionsOf(budget), condition, time);
  const status = {
    observedGeneration,
    ...(Object.keys(disruptedPods).length > 0 ? { disruptedPods } : {}),
    disruptionsAllowed: allowed,
    currentHealthy: healthy,
    desiredHealthy: desired,
    expectedPods: expected,
    conditions,
  };
  const isWaiting = Object.keys(disruptedPods).length > 0;
  return {
    effects: statusUpdate(podDisruptionBudgets, budget, status),
    againInMs: isWaiting ? DELETION_MS_MAX : undefined,
  };
}
