// pods/eviction (kube-apiserver v1.37): a pod is deleted unless its disruption budget forbids it now. What is let go
// is taken off the budget before, so that of two at once only one may go where one may; and the pod is told why.
import {
  conditionsOf,
  findCondition,
  timestamp,
  withCondition,
  type Condition,
} from '#kube/meta/conditions.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { labelSelectorFromObject, matchesLabels } from '#kube/meta/selectors.ts';
import { invalidValue } from '#kube/meta/names.ts';
import { ApiError, badRequest, invalid } from '#kube/meta/status.ts';
import type { DeleteOptions } from './deletion.ts';
import { checkDeletion } from './request-options.ts';
import { kindAlone } from './kind-alone.ts';
import type { Resources, WriteContext } from './resources.ts';
import { systemWrite } from './system-write.ts';

export const evictionInfo = kindAlone('policy', 'v1', 'Eviction');

/** Old clients send an older version, which says the same. */
export function ofNewVersion<T extends { readonly value: unknown }>(body: T): T {
  const { apiVersion } = (body.value ?? {}) as { readonly apiVersion?: unknown };
  if (apiVersion !== 'policy/v1beta1') return body;
  return { ...body, value: { ...(body.value as object), apiVersion: 'policy/v1' } };
}

const success = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 };

const RETRY_SECONDS = 10;
const ATTEMPTS_MAX = 20;
/** Upstream's: with more of them the controller is not counting. */
const DISRUPTED_PODS_MAX = 2_000;
const VIOLATES = "Cannot evict pod as it would violate the pod's disruption budget.";

type Options = DeleteOptions & { readonly dryRun?: readonly string[] };

interface Eviction {
  readonly resources: Resources;
  /** Of the deletion that comes of it. */
  readonly context: WriteContext;
  readonly name: string;
  readonly options: Options;
  readonly now: () => number;
}

export async function evict(
  { resources, now }: { readonly resources: Resources; readonly now: () => number },
  context: WriteContext,
  name: string,
  body: KubeObject,
): Promise<object> {
  const given = body.metadata?.name ?? '';
  if (given !== name) {
    throw badRequest('name in URL does not match name in Eviction object');
  }
  const options = (body['deleteOptions'] ?? {}) as Options;
  if (options.ignoreStoreReadErrorWithClusterBreakingPotential === true) {
    const field = 'deleteOptions.ignoreStoreReadErrorWithClusterBreakingPotential';
    const why = 'can not be set for pod eviction, try after removing the option';
    throw invalid(evictionInfo, name, [invalidValue(field, true, why)]);
  }
  const isDryRun = context.isDryRun || options.dryRun?.includes('All') === true;
  // The eviction was admitted; its deletion is no request of its own.
  const own = { ...context, subresource: undefined, isDryRun, isAdmitted: true };
  const eviction: Eviction = { resources, context: own, name, options, now };
  for (let attempt = 1; ; attempt++) {
    try {
      await evictOnce(eviction);
      return success;
    } catch (error) {
      const isConflict = error instanceof ApiError && error.code === 409;
      const mayRetry = options.preconditions?.resourceVersion === undefined;
      if (!isConflict || !mayRetry || attempt === ATTEMPTS_MAX) throw error;
    }
  }
}

async function evictOnce(eviction: Eviction): Promise<void> {
  const { resources, name, context } = eviction;
  const pod = await resources.get('', 'pods', context.namespace, name);
  const phase = String(pod?.['status']?.phase ?? '');
  const isOver = ['Succeeded', 'Failed'].includes(phase);
  const isGoing = pod?.metadata.deletionTimestamp !== undefined;
  // What has disrupted already, or serves nobody yet, is no matter of a budget.
  if (pod === undefined || isOver || isGoing || phase === 'Pending') {
    const isExact = pod !== undefined && !isOver && !isGoing;
    return await remove(eviction, isExact ? pod.metadata.resourceVersion : undefined);
  }
  const budget = await budgetOf(eviction, pod);
  if (budget === undefined) return await remove(eviction, undefined);
  if (mayGoUncounted(budget, pod)) return await remove(eviction, pod.metadata.resourceVersion);
  await takeOff(eviction, budget.metadata.name ?? '');
  await remove(eviction, undefined);
}

async function budgetOf(
  { resources, context }: Eviction,
  pod: KubeObject,
): Promise<KubeObject | undefined> {
  const budgets = await resources.list('policy', 'poddisruptionbudgets', context.namespace);
  const [budget, ...others] = budgets.filter((one) => {
    const selector = labelSelectorFromObject(one['spec']?.selector);
    return selector !== undefined && matchesLabels(selector, pod.metadata.labels);
  });
  if (others.length > 0) {
    throw new ApiError(
      500,
      '',
      'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
    );
  }
  return budget;
}

/** A pod that is not ready serves nobody: by the budget's policy it may go without being counted. */
function mayGoUncounted(budget: KubeObject, pod: KubeObject): boolean {
  if (findCondition(conditionsOf(pod), 'Ready')?.status === 'True') return false;
  if (budget['spec']?.unhealthyPodEvictionPolicy === 'AlwaysAllow') return true;
  const { currentHealthy = 0, desiredHealthy = 0 } = budget['status'] ?? {};
  return desiredHealthy > 0 && currentHealthy >= desiredHealthy;
}

async function takeOff({ resources, context, name, now }: Eviction, budget: string): Promise<void> {
  const { namespace, isDryRun } = context;
  const info = resources.registry.byResource('policy', 'v1', 'poddisruptionbudgets');
  if (info === undefined) return;
  const place = { ...systemWrite(info, { namespace, subresource: 'status' }), isDryRun };
  await resources.modify(place, budget, (live) => {
    checkBudget(live);
    const status = live['status'];
    status.disruptionsAllowed -= 1;
    status.disruptedPods = { ...status.disruptedPods, [name]: timestamp(now()) };
    if (status.disruptionsAllowed === 0) status.conditions = exhausted(status, now());
    return live;
  });
}

/** Throws when nothing may go now. */
function checkBudget(budget: KubeObject): void {
  const { metadata } = budget;
  const { name = '' } = metadata;
  const status = budget['status'] ?? {};
  const allowed = Number(status.disruptionsAllowed ?? 0);
  if (Number(status.observedGeneration ?? 0) < (metadata.generation ?? 0)) {
    const message = `The disruption budget ${name} is still being processed by the server.`;
    throw refusal(429, VIOLATES, { message, retryAfterSeconds: RETRY_SECONDS });
  }
  const forbidden = (why: string, told: string): ApiError =>
    refusal(403, `poddisruptionbudget.policy "${name}" is forbidden: ${why}`, {
      message: `The disruption budget ${name} does not allow evicting pods currently: ${told}`,
      name,
      group: 'policy',
      kind: 'poddisruptionbudget',
    });
  if (allowed < 0) {
    const why = 'pdb disruptions allowed is negative';
    throw forbidden(why, why);
  }
  if (Object.keys(status.disruptedPods ?? {}).length > DISRUPTED_PODS_MAX) {
    throw forbidden(
      'DisruptedPods map too big - too many evictions not confirmed by PDB controller',
      'too many pending evictions not confirmed by PDB controller',
    );
  }
  if (allowed === 0) throw refusal(429, VIOLATES, { message: whyNone(name, status) });
}

function whyNone(name: string, status: Record<string, unknown>): string {
  const found = findCondition(conditionsOf({ status }), 'DisruptionAllowed');
  const told = found?.status === 'False' && found.message ? found : undefined;
  const text = `The disruption budget ${name} does not allow evicting pods currently`;
  if (told?.reason === 'SyncFailed') return `${text} because it failed sync: ${told.message}`;
  const [current, desired] = [status['currentHealthy'] ?? 0, status['desiredHealthy'] ?? 0];
  if (Number(current) <= Number(desired)) {
    return `The disruption budget ${name} needs ${desired} healthy pods and has ${current} currently`;
  }
  return told === undefined ? text : `${text} (${told.reason}): ${told.message}`;
}

function refusal(
  code: 403 | 429,
  message: string,
  { message: cause, ...details }: { readonly message: string } & Record<string, string | number>,
): ApiError {
  const causes = [{ reason: 'DisruptionBudget', message: cause }];
  const reason = code === 429 ? 'TooManyRequests' : 'Forbidden';
  return new ApiError(code, reason, message, { ...details, causes });
}

function exhausted(status: Record<string, unknown>, now: number): readonly Condition[] {
  const condition = {
    type: 'DisruptionAllowed',
    status: 'False',
    reason: 'InsufficientPods',
    message: '',
    observedGeneration: Number(status['observedGeneration'] ?? 0),
  } as const;
  return withCondition(conditionsOf({ status }), condition, timestamp(now));
}

/** The pod learns why it goes, and goes; with a version only if it still is that one. */
async function remove(eviction: Eviction, version: string | undefined): Promise<void> {
  const { resources, context, name, options, now } = eviction;
  checkDeletion(options);
  const preconditions: { uid?: string; resourceVersion?: string } = { ...options.preconditions };
  if (version !== undefined) preconditions.resourceVersion ??= version;
  if (context.isDryRun) {
    await resources.delete(context, name, { ...options, preconditions });
    return;
  }
  const { info, namespace } = context;
  const place = systemWrite(info, { namespace, subresource: 'status' });
  let isMeant = false;
  const marked = await resources.modify(place, name, (live) => {
    const { uid, resourceVersion } = live.metadata;
    isMeant =
      (preconditions.uid ?? uid) === uid &&
      (preconditions.resourceVersion ?? resourceVersion) === resourceVersion;
    return isMeant ? withTarget(live, now()) : live;
  });
  // Of a pod that is not meant the deletion says in what it differs.
  if (isMeant && preconditions.resourceVersion !== undefined) {
    preconditions.resourceVersion = marked.metadata.resourceVersion ?? '';
  }
  await resources.delete(context, name, { ...options, preconditions });
}

function withTarget(pod: KubeObject, now: number): KubeObject {
  const condition = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'EvictionByEvictionAPI',
    message: 'Eviction API: evicting',
    lastProbeTime: null,
  } as const;
  const conditions = withCondition(conditionsOf(pod), condition, timestamp(now));
  return { ...pod, status: { ...pod['status'], conditions } };
}
