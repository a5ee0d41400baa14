// Decides for a CronJob: whether a job is due, which finished ones are removed, and its status. Pure.
import { cronJobs, jobs as jobsResource } from '#kube/client/resources.ts';
import { findCondition, timestamp, type Condition } from '#kube/meta/conditions.ts';
import { statusUpdate, type Decision, type Effect } from '#kube/controllers/effects.ts';
import { isControlledBy, ownerReference } from '#kube/controllers/owners.ts';
import { isGoing } from '#kube/controllers/pod-facts.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { lastTime, nextTime, parseSchedule, type Schedule } from './schedule.ts';

const SCHEDULED_AT = 'batch.kubernetes.io/cronjob-scheduled-timestamp';
const MISSED_MAX = 100;

type Outcome = 'Complete' | 'Failed' | undefined;

function outcomeOf(job: KubeObject): Outcome {
  const conditions = (job['status']?.conditions ?? []) as Condition[];
  for (const type of ['Complete', 'Failed'] as const) {
    if (findCondition(conditions, type)?.status === 'True') return type;
  }
  return undefined;
}

function event(
  about: KubeObject,
  type: 'Normal' | 'Warning',
  reason: string,
  message: string,
): Effect {
  return { kind: 'event', about, type, reason, message };
}

function startOf(job: KubeObject): string {
  return String(job['status']?.startTime ?? job.metadata.creationTimestamp ?? '');
}

function removals(cron: KubeObject, mine: readonly KubeObject[]): KubeObject[] {
  const { successfulJobsHistoryLimit = 3, failedJobsHistoryLimit = 1 } = cron['spec'];
  const surplus = (outcome: Outcome, limit: unknown): KubeObject[] => {
    if (limit === null) return [];
    const found = mine.filter((job) => outcomeOf(job) === outcome && !isGoing(job));
    const sorted = found.toSorted((a, b) => (startOf(a) < startOf(b) ? -1 : 1));
    return sorted.slice(0, Math.max(0, sorted.length - Number(limit)));
  };
  return [
    ...surplus('Complete', successfulJobsHistoryLimit),
    ...surplus('Failed', failedJobsHistoryLimit),
  ];
}

function jobFor(cron: KubeObject, at: number): KubeObject {
  const { metadata = {}, spec } = cron['spec'].jobTemplate;
  const { name, namespace } = cron.metadata;
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: `${name}-${Math.floor(at / 60_000)}`,
      ...(namespace === undefined ? {} : { namespace }),
      labels: metadata.labels ?? {},
      annotations: { ...metadata.annotations, [SCHEDULED_AT]: timestamp(at) },
      ownerReferences: [ownerReference(cron)],
    },
    spec,
  };
}

function reference(job: KubeObject): Record<string, unknown> {
  const { name, namespace, uid, resourceVersion } = job.metadata;
  return { kind: 'Job', namespace, name, uid, apiVersion: 'batch/v1', resourceVersion };
}

interface Due {
  readonly at: number | undefined;
  readonly events: readonly Effect[];
}

function dueTime(cron: KubeObject, schedule: Schedule, now: number): Due {
  const { timeZone, startingDeadlineSeconds } = cron['spec'];
  const last = cron['status']?.lastScheduleTime ?? cron.metadata.creationTimestamp ?? '';
  let after = Date.parse(last);
  const hasDeadline = startingDeadlineSeconds !== undefined && startingDeadlineSeconds !== null;
  const deadlineMs = Number(startingDeadlineSeconds) * 1_000;
  if (hasDeadline) after = Math.max(after, now - deadlineMs);
  const found = lastTime(schedule, { after, until: now }, timeZone ?? 'UTC');
  if (found === undefined) {
    if (nextTime(schedule, after, timeZone ?? 'UTC') !== undefined)
      return { at: undefined, events: [] };
    // The thirtieth of February.
    const why = 'time difference between two schedules is less than 1 second';
    const text = `invalid schedule: ${String(cron['spec'].schedule)} : ${why}`;
    return { at: undefined, events: [event(cron, 'Warning', 'InvalidSchedule', text)] };
  }
  const message = `too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew`;
  const events =
    found.missedCount > MISSED_MAX ? [event(cron, 'Warning', 'TooManyMissedTimes', message)] : [];
  return { at: found.at, events };
}

export interface CronJobSnapshot {
  readonly cron: KubeObject;
  /** Of its namespace. */
  readonly jobs: readonly KubeObject[];
}

function activeChanges(cron: KubeObject, mine: readonly KubeObject[]) {
  const known = (cron['status']?.active ?? []) as { uid: string; name: string }[];
  const active = mine.filter((job) => outcomeOf(job) === undefined);
  const events: Effect[] = [];
  let lastSuccess = cron['status']?.lastSuccessfulTime as string | undefined;
  for (const job of mine) {
    const outcome = outcomeOf(job);
    const { uid, name } = job.metadata;
    const end = job['status']?.completionTime as string | undefined;
    if (
      outcome === 'Complete' &&
      end !== undefined &&
      (lastSuccess === undefined || end > lastSuccess)
    ) {
      lastSuccess = end;
    }
    if (outcome === undefined || !known.some((one) => one.uid === uid)) continue;
    const message = `Saw completed job: ${name}, condition: ${outcome}`;
    events.push(event(cron, 'Normal', 'SawCompletedJob', message));
  }
  for (const { uid, name } of known) {
    if (mine.some((job) => job.metadata.uid === uid)) continue;
    events.push(event(cron, 'Normal', 'MissingJob', `Active job went missing: ${name}`));
  }
  return { active, events, lastSuccess };
}

interface Start {
  readonly effects: readonly Effect[];
  /** Said once the status has been written: a stale look does not get so far. */
  readonly events: readonly Effect[];
  readonly running: readonly KubeObject[];
  readonly lastScheduleTime: string | undefined;
}

/** What a due moment leads to, by the concurrency policy. */
function start(
  cron: KubeObject,
  active: readonly KubeObject[],
  mine: readonly KubeObject[],
  at: number,
): Start {
  const { concurrencyPolicy } = cron['spec'];
  const object = jobFor(cron, at);
  const { name } = object.metadata;
  const lastScheduleTime = timestamp(at);
  // It was made already, only the status does not say so yet.
  if (mine.some((job) => job.metadata.name === name)) {
    return { effects: [], events: [], running: active, lastScheduleTime };
  }
  if (concurrencyPolicy === 'Forbid' && active.length > 0) {
    const message =
      'Not starting job because prior execution is running and concurrency policy is Forbid';
    const events = [event(cron, 'Normal', 'JobAlreadyActive', message)];
    const before = cron['status']?.lastScheduleTime as string | undefined;
    return { effects: [], events, running: active, lastScheduleTime: before };
  }
  const effects: Effect[] = [];
  const isReplaced = concurrencyPolicy === 'Replace';
  for (const old of isReplaced ? active : []) effects.push(removal(old));
  effects.push({ kind: 'create', resource: jobsResource, object, mayExist: true });
  const events = [event(cron, 'Normal', 'SuccessfulCreate', `Created job ${name}`)];
  return { effects, events, running: isReplaced ? [] : active, lastScheduleTime };
}

function removal(object: KubeObject): Effect {
  return { kind: 'delete', resource: jobsResource, object, propagationPolicy: 'Background' };
}

export function reconcileCronJob({ cron, jobs }: CronJobSnapshot, now: number): Decision {
  if (isGoing(cron)) return { effects: [] };
  const mine = jobs.filter((job) => isControlledBy(job, cron));
  const { active, events: seen, lastSuccess } = activeChanges(cron, mine);
  const events: Effect[] = [...seen];
  const effects: Effect[] = [];
  for (const object of removals(cron, mine)) {
    effects.push(removal(object));
    events.push(event(cron, 'Normal', 'SuccessfulDelete', `Deleted job ${object.metadata.name}`));
  }
  const { schedule: text, suspend, timeZone } = cron['spec'];
  const schedule = parseSchedule(String(text));
  let running = active;
  let lastScheduleTime = cron['status']?.lastScheduleTime as string | undefined;
  if (schedule === undefined) {
    const message = `unparseable schedule: ${JSON.stringify(text)}`;
    events.push(event(cron, 'Warning', 'UnparseableSchedule', message));
  } else if (suspend !== true) {
    const due = dueTime(cron, schedule, now);
    events.push(...due.events);
    if (due.at !== undefined) {
      const started = start(cron, active, mine, due.at);
      effects.push(...started.effects);
      events.push(...started.events);
      running = [...started.running];
      ({ lastScheduleTime } = started);
    }
  }
  const status = {
    ...(running.length > 0 ? { active: running.map(reference) } : {}),
    ...(lastScheduleTime === undefined ? {} : { lastScheduleTime }),
    ...(lastSuccess === undefined ? {} : { lastSuccessfulTime: lastSuccess }),
  };
  effects.push(...statusUpdate(cronJobs, cron, status), ...events);
  const isIdle = schedule === undefined || suspend === true;
  const next = isIdle ? undefined : nextTime(schedule, now, timeZone ?? 'UTC');
  // A little late rather than a moment early.
  return { effects, againInMs: next === undefined ? undefined : next - now + 100 };
}
