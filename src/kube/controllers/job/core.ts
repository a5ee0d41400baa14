// Decides for a Job: how many pods it needs now, which of the finished ones have been counted, when it
// has succeeded or failed, and its status. Each finished pod counts once: its uid is written into the
// status before its finalizer goes, and into the count after. Pure.
import { jobs, pods as podsResource } from '#kube/client/resources.ts';
import { findCondition, timestamp, withCondition, type Condition } from '#kube/meta/conditions.ts';
import {
  statusUpdate,
  type Announcement,
  type Decision,
  type Effect,
} from '#kube/controllers/effects.ts';
import { claim } from '#kube/controllers/owners.ts';
import {
  byDeletionOrder,
  isGoing,
  isPodActive,
  isPodReady,
  phaseOf,
  podFromTemplate,
} from '#kube/controllers/pod-facts.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { labelSelectorFromObject } from '#kube/meta/selectors.ts';
import { formatIndexes, freeIndexes, INDEX_KEY, indexOf, parseIndexes } from './indexes.ts';
import { policyVerdict } from './failure-policy.ts';
import { matchedSuccessRule } from './success-policy.ts';

export interface JobSnapshot {
  readonly job: KubeObject;
  readonly pods: readonly KubeObject[];
  readonly isCurrent: boolean;
}

export const TRACKING = 'batch.kubernetes.io/job-tracking';
const BURST_MAX = 500;
const POD_BACK_OFF_MS_MIN = 10_000;
const POD_BACK_OFF_MS_MAX = 10 * 60_000;

interface Verdict {
  readonly type: 'Complete' | 'Failed';
  readonly reason: string;
  readonly message: string;
}

export function isFinished(job: KubeObject): boolean {
  const conditions = (job['status']?.conditions ?? []) as Condition[];
  return conditions.some(
    ({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True',
  );
}

interface Tally {
  readonly succeeded: number;
  readonly failed: number;
  readonly completed: ReadonlySet<number>;
  readonly failedIndexes: ReadonlySet<number>;
  readonly uncounted: { readonly succeeded: readonly string[]; readonly failed: readonly string[] };
  /** Pods whose finalizer is to go once their uid is in the status. */
  readonly release: readonly KubeObject[];
  /** With those that are not yet in the count. */
  readonly totalSucceeded: number;
  readonly totalFailed: number;
}

function hasTracking(pod: KubeObject): boolean {
  return pod.metadata.finalizers?.includes(TRACKING) === true;
}

/** A pod whose failure is not counted, by the job's failure policy. */
function isIgnored(job: KubeObject, pod: KubeObject): boolean {
  return policyVerdict(job, pod)?.action === 'Ignore';
}

function tally(job: KubeObject, pods: readonly KubeObject[], isOver: boolean): Tally {
  const status = job['status'] ?? {};
  const tracked = new Map<string, KubeObject>();
  for (const pod of pods) if (hasTracking(pod)) tracked.set(pod.metadata.uid ?? '', pod);
  const counts = { succeeded: Number(status.succeeded ?? 0), failed: Number(status.failed ?? 0) };
  const pending = { succeeded: [] as string[], failed: [] as string[] };
  const known = new Set<string>();
  for (const outcome of ['succeeded', 'failed'] as const) {
    for (const uid of (status.uncountedTerminatedPods?.[outcome] ?? []) as string[]) {
      known.add(uid);
      if (tracked.has(uid)) pending[outcome].push(uid);
      else counts[outcome] += 1;
    }
  }
  const isIndexed = job['spec'].completionMode === 'Indexed';
  const completions = Number(job['spec'].completions ?? 0);
  const completed = parseIndexes(status.completedIndexes);
  const failedIndexes = parseIndexes(status.failedIndexes);
  const release: KubeObject[] = [];
  for (const [uid, pod] of tracked) {
    const outcome = outcomeOf(job, pod, isOver);
    if (outcome === undefined) continue;
    release.push(pod);
    if (known.has(uid)) continue;
    if (outcome === 'failed' && isIgnored(job, pod)) continue;
    const index = indexOf(pod);
    if (outcome === 'succeeded' && isIndexed) {
      if (index === undefined || index >= completions || completed.has(index)) continue;
      completed.add(index);
    }
    if (outcome === 'failed' && isIndexed && index !== undefined) {
      if (isIndexSpent(job, pod)) failedIndexes.add(index);
    }
    pending[outcome].push(uid);
  }
  const totalSucceeded = isIndexed ? completed.size : counts.succeeded + pending.succeeded.length;
  return {
    ...counts,
    completed,
    failedIndexes,
    uncounted: pending,
    release,
    totalSucceeded,
    totalFailed: counts.failed + pending.failed.length,
  };
}

/** One that goes counts as failed at once, unless the job replaces only what has ended. */
function outcomeOf(
  job: KubeObject,
  pod: KubeObject,
  isOver: boolean,
): 'succeeded' | 'failed' | undefined {
  const phase = phaseOf(pod);
  if (phase === 'Succeeded') return 'succeeded';
  if (phase === 'Failed') return 'failed';
  if (!isGoing(pod)) return undefined;
  const waits = job['spec'].podReplacementPolicy === 'Failed' && !isOver;
  return !waits || phase === 'Pending' ? 'failed' : undefined;
}

const FAILURE_COUNT_KEY = 'batch.kubernetes.io/job-index-failure-count';

function isIndexSpent(job: KubeObject, pod: KubeObject): boolean {
  const limit = job['spec'].backoffLimitPerIndex;
  if (policyVerdict(job, pod)?.action === 'FailIndex') return true;
  if (limit === undefined || limit === null) return false;
  return Number(pod.metadata.annotations?.[FAILURE_COUNT_KEY] ?? 0) + 1 > Number(limit);
}

function restartCount(pods: readonly KubeObject[]): number {
  let total = 0;
  for (const pod of pods) {
    if (!['Running', 'Pending'].includes(phaseOf(pod))) continue;
    const { initContainerStatuses = [], containerStatuses = [] } = pod['status'] ?? {};
    for (const one of [...initContainerStatuses, ...containerStatuses]) {
      total += Number(one.restartCount ?? 0);
    }
  }
  return total;
}

function judge(
  job: KubeObject,
  pods: readonly KubeObject[],
  count: Tally,
  now: number,
): Verdict | undefined {
  const { spec } = job;
  const conditions = (job['status']?.conditions ?? []) as Condition[];
  const target = findCondition(conditions, 'FailureTarget');
  if (target?.status === 'True') {
    return { type: 'Failed', reason: target.reason ?? '', message: target.message ?? '' };
  }
  const met = findCondition(conditions, 'SuccessCriteriaMet');
  if (met?.status === 'True') {
    return { type: 'Complete', reason: met.reason ?? '', message: met.message ?? '' };
  }
  for (const pod of pods) {
    const verdict = policyVerdict(job, pod);
    if (verdict?.action === 'FailJob') {
      return { type: 'Failed', reason: 'PodFailurePolicy', message: verdict.message };
    }
  }
  const limit = Number(spec.backoffLimit ?? 6);
  const isPerIndex = spec.backoffLimitPerIndex !== undefined && spec.backoffLimitPerIndex !== null;
  const isSpent =
    count.totalFailed > limit ||
    (spec.template.spec?.restartPolicy === 'OnFailure' &&
      (limit === 0
        ? restartCount(pods) > 0
        : restartCount(pods) >= limit && restartCount(pods) > 0));
  if (isSpent) {
    const message = 'Job has reached the specified backoff limit';
    return { type: 'Failed', reason: 'BackoffLimitExceeded', message };
  }
  if (msToDeadline(job, now) === 0) {
    const message = 'Job was active longer than specified deadline';
    return { type: 'Failed', reason: 'DeadlineExceeded', message };
  }
  if (isPerIndex) {
    const most = spec.maxFailedIndexes;
    if (most !== undefined && most !== null && count.failedIndexes.size > Number(most)) {
      const message = 'Job has exceeded the specified maximal number of failed indexes';
      return { type: 'Failed', reason: 'MaxFailedIndexesExceeded', message };
    }
    const isAll = count.failedIndexes.size + count.completed.size >= Number(spec.completions);
    if (count.failedIndexes.size > 0 && isAll) {
      const message = 'Job has failed indexes';
      return { type: 'Failed', reason: 'FailedIndexes', message };
    }
  }
  const rule = matchedSuccessRule(job, count.completed);
  if (rule !== undefined) {
    const message = `Matched rules at index ${rule}`;
    return { type: 'Complete', reason: 'SuccessPolicy', message };
  }
  return isComplete(job, pods, count)
    ? {
        type: 'Complete',
        reason: 'CompletionsReached',
        message: 'Reached expected number of succeeded pods',
      }
    : undefined;
}

function isComplete(job: KubeObject, pods: readonly KubeObject[], count: Tally): boolean {
  const { completions } = job['spec'];
  if (completions === undefined || completions === null) {
    // Without a number, the first success means that the work is done; the others end by themselves.
    return count.totalSucceeded > 0 && !pods.some(isPodActive);
  }
  return count.totalSucceeded >= Number(completions) && !pods.some(isPodActive);
}

/** 0 when it has passed; undefined when there is none. */
function msToDeadline(job: KubeObject, now: number): number | undefined {
  const { activeDeadlineSeconds, suspend } = job['spec'];
  const startTime = job['status']?.startTime as string | undefined;
  if (activeDeadlineSeconds === undefined || activeDeadlineSeconds === null) return undefined;
  if (startTime === undefined || startTime === null || suspend === true) return undefined;
  return Math.max(0, Date.parse(startTime) + Number(activeDeadlineSeconds) * 1_000 - now);
}

/** When a failed pod may be followed by another: 10 s after the first, twice that after the next … */
function msToNextPod(pods: readonly KubeObject[], now: number): number {
  const ended = pods
    .filter((pod) => ['Succeeded', 'Failed'].includes(phaseOf(pod)))
    .map((pod) => ({ isFailure: phaseOf(pod) === 'Failed', at: endOf(pod) }))
    .toSorted((a, b) => b.at - a.at);
  const streak = ended.findIndex(({ isFailure }) => !isFailure);
  const failures = streak < 0 ? ended.length : streak;
  const last = ended[0];
  if (failures === 0 || last === undefined) return 0;
  const wait = Math.min(POD_BACK_OFF_MS_MAX, POD_BACK_OFF_MS_MIN * 2 ** (failures - 1));
  return Math.max(0, last.at + wait - now);
}

function endOf(pod: KubeObject): number {
  const statuses = (pod['status']?.containerStatuses ?? []) as {
    state?: { terminated?: { finishedAt?: string } };
  }[];
  const times = statuses.map(({ state }) => Date.parse(state?.terminated?.finishedAt ?? ''));
  const latest = Math.max(...times.filter(Number.isFinite));
  if (Number.isFinite(latest)) return latest;
  const { deletionTimestamp, creationTimestamp = '' } = pod.metadata;
  return Date.parse(deletionTimestamp ?? creationTimestamp);
}

interface PodPlan {
  readonly create: readonly (number | undefined)[];
  readonly remove: readonly KubeObject[];
  readonly againInMs?: number | undefined;
}

function planPods(
  job: KubeObject,
  pods: readonly KubeObject[],
  count: Tally,
  now: number,
): PodPlan {
  const { parallelism: wide, completions, completionMode, podReplacementPolicy } = job['spec'];
  const parallelism = Number(wide ?? 1);
  const active = pods.filter(isPodActive);
  const isIndexed = completionMode === 'Indexed';
  const hasCompletions = completions !== undefined && completions !== null;
  let wanted = parallelism;
  if (!hasCompletions) {
    if (count.totalSucceeded > 0) wanted = Math.min(active.length, parallelism);
  } else {
    const left = Number(completions) - count.totalSucceeded - count.failedIndexes.size;
    wanted = Math.min(parallelism, Math.max(0, left));
  }
  if (active.length > wanted) {
    return { create: [], remove: byDeletionOrder(active, now).slice(0, active.length - wanted) };
  }
  const terminating = pods.filter(
    (pod) => isGoing(pod) && outcomeOf(job, pod, false) === undefined,
  );
  const held = podReplacementPolicy === 'Failed' ? terminating.length : 0;
  const missing = Math.min(BURST_MAX, wanted - active.length - held);
  if (missing <= 0) return { create: [], remove: [] };
  const waitMs = msToNextPod(pods, now);
  if (waitMs > 0) return { create: [], remove: [], againInMs: waitMs };
  if (!isIndexed) return { create: Array.from({ length: missing }, () => undefined), remove: [] };
  const taken = new Set([...count.completed, ...count.failedIndexes]);
  for (const pod of active) taken.add(indexOf(pod) ?? -1);
  if (held > 0) for (const pod of terminating) taken.add(indexOf(pod) ?? -1);
  const free = freeIndexes(taken, { completions: Number(completions), count: missing });
  return { create: free, remove: [] };
}

function podFor(
  job: KubeObject,
  index: number | undefined,
  pods: readonly KubeObject[],
): KubeObject {
  const { template, backoffLimitPerIndex } = job['spec'];
  if (index === undefined) {
    return podFromTemplate({ template, owner: job, finalizers: [TRACKING] });
  }
  const failures = pods.filter((pod) => indexOf(pod) === index && phaseOf(pod) === 'Failed').length;
  const isPerIndex = backoffLimitPerIndex !== undefined && backoffLimitPerIndex !== null;
  const pod = podFromTemplate({
    template,
    owner: job,
    finalizers: [TRACKING],
    labels: { [INDEX_KEY]: String(index) },
    annotations: {
      [INDEX_KEY]: String(index),
      ...(isPerIndex ? { [FAILURE_COUNT_KEY]: String(failures) } : {}),
    },
  });
  const { name } = job.metadata;
  pod.metadata.generateName = `${name}-${index}-`;
  const spec = pod['spec'];
  spec.hostname ??= `${name}-${index}`;
  const fieldPath = `metadata.labels['${INDEX_KEY}']`;
  const variable = { name: 'JOB_COMPLETION_INDEX', valueFrom: { fieldRef: { fieldPath } } };
  for (const container of [...(spec.initContainers ?? []), ...spec.containers]) {
    const env = (container.env ?? []) as { name: string }[];
    if (!env.some((one) => one.name === variable.name)) container.env = [...env, variable];
  }
  return pod;
}

function statusFor(of: {
  job: KubeObject;
  pods: readonly KubeObject[];
  count: Tally;
  conditions: readonly Condition[];
  verdict: Verdict | undefined;
  isDone: boolean;
  now: number;
}): Record<string, unknown> {
  const { job, pods, count, conditions, verdict, isDone, now } = of;
  const old = job['status'] ?? {};
  const active = pods.filter(isPodActive);
  const time = timestamp(now);
  const isSuspended = job['spec'].suspend === true && verdict === undefined;
  const startTime = isSuspended ? undefined : (old.startTime ?? time);
  const isIndexed = job['spec'].completionMode === 'Indexed';
  const { succeeded: a, failed: b } = count.uncounted;
  const succeeded = isIndexed ? count.completed.size : count.succeeded;
  const perIndex = job['spec'].backoffLimitPerIndex !== undefined;
  const terminating = pods.filter(
    (pod) => isGoing(pod) && !['Succeeded', 'Failed'].includes(phaseOf(pod)),
  );
  return {
    ...(conditions.length > 0 ? { conditions } : {}),
    ...(startTime === undefined ? {} : { startTime }),
    ...(isDone && verdict?.type === 'Complete'
      ? { completionTime: old.completionTime ?? time }
      : {}),
    ...(active.length > 0 ? { active: active.length } : {}),
    ...(succeeded > 0 ? { succeeded } : {}),
    ...(count.failed > 0 ? { failed: count.failed } : {}),
    terminating: terminating.length,
    ready: active.filter(isPodReady).length,
    ...(isIndexed && count.completed.size > 0
      ? { completedIndexes: formatIndexes(count.completed) }
      : {}),
    ...(perIndex && count.failedIndexes.size > 0
      ? { failedIndexes: formatIndexes(count.failedIndexes) }
      : {}),
    uncountedTerminatedPods: {
      ...(a.length > 0 ? { succeeded: a } : {}),
      ...(b.length > 0 ? { failed: b } : {}),
    },
  };
}

function suspension(
  job: KubeObject,
  conditions: readonly Condition[],
  now: string,
): { conditions: readonly Condition[]; events: Effect[] } {
  const old = findCondition(conditions, 'Suspended');
  const isSuspended = job['spec'].suspend === true;
  if (isSuspended === (old?.status === 'True')) return { conditions, events: [] };
  if (!isSuspended && old === undefined) return { conditions, events: [] };
  const [reason, message] = isSuspended
    ? ['JobSuspended', 'Job suspended']
    : ['JobResumed', 'Job resumed'];
  const status = isSuspended ? 'True' : 'False';
  const next = { type: 'Suspended', status, reason, message, lastProbeTime: now } as const;
  const event: Effect = {
    kind: 'event',
    about: job,
    type: 'Normal',
    reason: isSuspended ? 'Suspended' : 'Resumed',
    message,
  };
  return { conditions: withCondition(conditions, next, now), events: [event] };
}

/** The first word that it is decided, and the last one when nothing of it runs any more. */
function conclude(
  conditions: readonly Condition[],
  verdict: Verdict,
  options: { isDone: boolean; now: string },
): readonly Condition[] {
  const { reason, message, type } = verdict;
  const { now, isDone } = options;
  const base = { status: 'True', reason, message, lastProbeTime: now } as const;
  const early = type === 'Complete' ? 'SuccessCriteriaMet' : 'FailureTarget';
  let next = conditions;
  if (findCondition(next, early)?.status !== 'True') {
    next = withCondition(next, { ...base, type: early }, now);
  }
  return isDone ? withCondition(next, { ...base, type }, now) : next;
}

export function releases(pods: readonly KubeObject[]): Effect[] {
  return pods.map((object) => {
    const { uid, finalizers = [] } = object.metadata;
    const left = finalizers.filter((one) => one !== TRACKING);
    const patch = { metadata: { uid, finalizers: left.length === 0 ? null : left } };
    return { kind: 'patch', resource: podsResource, object, type: 'merge', patch };
  });
}

export function reconcileJob(snapshot: JobSnapshot, now: number): Decision {
  const { job, isCurrent } = snapshot;
  const selector = labelSelectorFromObject(job['spec'].selector) ?? [];
  const claimed = claim({
    owner: job,
    selector,
    resource: podsResource,
    candidates: snapshot.pods,
  });
  const pods = claimed.mine;
  if (isFinished(job) || isGoing(job)) {
    return { effects: [...claimed.effects, ...releases(pods.filter(hasTracking))] };
  }
  const time = timestamp(now);
  const early = judge(job, pods, tally(job, pods, false), now);
  const count = tally(job, pods, early !== undefined);
  const verdict = early ?? judge(job, pods, count, now);
  const announce: Announcement = { about: job, noun: 'pod' };
  const effects: Effect[] = [...claimed.effects];
  const isSuspended = job['spec'].suspend === true;
  const active = pods.filter(isPodActive);
  let again = msToDeadline(job, now);
  let remove: readonly KubeObject[] = [];
  let create: readonly (number | undefined)[] = [];
  if (isCurrent) {
    if (verdict !== undefined || isSuspended) remove = active;
    else {
      const plan = planPods(job, pods, count, now);
      ({ create, remove } = plan);
      if (plan.againInMs !== undefined) again = Math.min(again ?? Infinity, plan.againInMs);
    }
  }
  const { succeeded, failed } = count.uncounted;
  const isQuiet = pods.every((pod) => !hasTracking(pod) || outcomeOf(job, pod, true) !== undefined);
  const isDone =
    verdict !== undefined &&
    active.length === 0 &&
    isQuiet &&
    succeeded.length + failed.length === 0 &&
    count.release.length === 0;
  let conditions = (job['status']?.conditions ?? []) as readonly Condition[];
  if (verdict === undefined) {
    const paused = suspension(job, conditions, time);
    conditions = paused.conditions;
    effects.push(...paused.events);
  } else {
    conditions = conclude(conditions, verdict, { isDone, now: time });
  }
  const status = statusFor({ job, pods, count, conditions, verdict, isDone, now });
  effects.push(...statusUpdate(jobs, job, status), ...releases(count.release));
  if (isDone) effects.push(verdictEvent(job, verdict));
  // What is deleted because it is not wanted now has not failed: it is let go uncounted.
  if (verdict === undefined) effects.push(...releases(remove.filter(hasTracking)));
  for (const object of remove) {
    effects.push({ kind: 'delete', resource: podsResource, object, announce, isExpected: true });
  }
  for (const index of create) {
    const object = podFor(job, index, pods);
    effects.push({ kind: 'create', resource: podsResource, object, announce, isExpected: true });
  }
  return { effects, againInMs: again === 0 ? undefined : again };
}

function verdictEvent(job: KubeObject, verdict: Verdict): Effect {
  return verdict.type === 'Complete'
    ? { kind: 'event', about: job, type: 'Normal', reason: 'Completed', message: 'Job completed' }
    : {
        kind: 'event',
        about: job,
        type: 'Warning',
        reason: verdict.reason,
        message: verdict.message,
      };
}
