// Judges what a job may become and what may be said of it, as kube-apiserver v1.37 does: most of its spec stays as it
// is, and its status only goes forward.
import { same } from '#base/same.ts';
import { list, notNegative, record, selectorShown, type Json } from './field-rules.ts';
import { shownAs } from './go-shown.ts';
import { duplicate, invalidShown, invalidValue, requiredValue } from './names.ts';
import type { KubeObject } from './object.ts';
import type { StatusCause } from './status.ts';
import { countIndexes } from './validation-job-policies.ts';

const IMMUTABLE = 'field is immutable';

const isTrue = (status: Json, type: string): boolean =>
  list(status['conditions']).some((one) => one['type'] === type && one['status'] === 'True');

// ---- the spec ----

function isMutable(before: Json, status: Json): boolean {
  const { startTime, active = 0 } = status;
  const isIdle = startTime === undefined || isTrue(status, 'Suspended');
  return before['suspend'] === true && isIdle && active === 0;
}

/** The old template with all in it that may be changed while a job is suspended. */
function withScheduling(template: Json, next: Json): Json {
  const [spec, wanted] = [record(template['spec']), record(next['spec'])];
  const affinity = record(spec['affinity']);
  const { nodeAffinity: _own, ...others } = affinity;
  const { nodeAffinity } = record(wanted['affinity']);
  const kept =
    wanted['affinity'] === undefined
      ? Object.keys(others).length === 0
        ? undefined
        : others
      : { ...others, ...(nodeAffinity === undefined ? {} : { nodeAffinity }) };
  const { labels, annotations } = record(next['metadata']);
  const { nodeSelector, tolerations, schedulingGates } = wanted;
  return {
    ...template,
    metadata: { ...record(template['metadata']), labels, annotations },
    spec: { ...spec, affinity: kept, nodeSelector, tolerations, schedulingGates },
  };
}

function withResources(spec: Json, wanted: Json): Json {
  const taken = (name: string): unknown => {
    const [own, next] = [list(spec[name]), list(wanted[name])];
    if (own.length !== next.length) return spec[name];
    return own.map((one, index) => {
      const { name: other, resources } = next[index] ?? {};
      return other === one['name'] ? { ...one, resources } : one;
    });
  };
  return {
    ...spec,
    ...(spec['containers'] === undefined ? {} : { containers: taken('containers') }),
    ...(spec['initContainers'] === undefined ? {} : { initContainers: taken('initContainers') }),
  };
}

function templateUpdate(spec: Json, before: Json, status: Json): StatusCause[] {
  const [next, old] = [record(spec['template']), record(before['template'])];
  const isOpen = isMutable(before, status);
  const kept = isOpen ? withScheduling(old, next) : old;
  const at = 'spec.template';
  if (before['suspend'] !== true || !isOpen) {
    if (same(next, kept)) return [];
    return [invalidShown(at, shownAs('@PodTemplateSpec', next), IMMUTABLE)];
  }
  const own = record(next['spec']);
  if (same(own, withResources(record(kept['spec']), own))) return [];
  return [invalidShown(`${at}.spec`, shownAs('@PodSpec', own), IMMUTABLE)];
}

function completions(spec: Json, before: Json): StatusCause[] {
  const [count, was] = [spec['completions'], before['completions']];
  const field = 'spec.completions';
  if (count === was) return [];
  if (spec['completionMode'] !== 'Indexed') return [invalidValue(field, count ?? null, IMMUTABLE)];
  // That there has to be a count is said elsewhere.
  if (count === undefined || count === spec['parallelism']) return [];
  return [invalidValue(field, count, 'can only be modified in tandem with spec.parallelism')];
}

const fixed: Readonly<Record<string, string>> = {
  completionMode: 'v',
  podFailurePolicy: '@PodFailurePolicy',
  backoffLimitPerIndex: 'v',
  managedBy: 'v',
  successPolicy: '@SuccessPolicy',
};

export function validateJobUpdate(object: KubeObject, old: KubeObject): StatusCause[] {
  const [spec, before] = [record(object['spec']), record(old['spec'])];
  const { selector } = spec;
  return [
    ...completions(spec, before),
    ...(same(selector, before['selector'])
      ? []
      : [invalidValue('spec.selector', selectorShown(selector), IMMUTABLE)]),
    ...templateUpdate(spec, before, record(old['status'])),
    ...Object.entries(fixed).flatMap(([name, type]) =>
      same(spec[name], before[name])
        ? []
        : [invalidShown(`spec.${name}`, shownAs(type, spec[name]), IMMUTABLE)],
    ),
  ];
}

// ---- the status ----

const at = (name: string): string => `status.${name}`;

/** Of which no value is shown. */
const conditionsCause = (why: string): StatusCause => ({
  reason: 'FieldValueInvalid',
  message: `Invalid value: ${why}`,
  field: at('conditions'),
});

function uncounted(status: Json): StatusCause[] {
  const pods = record(status['uncountedTerminatedPods']);
  const seen = new Set<unknown>();
  return ['succeeded', 'failed'].flatMap((name) =>
    list(pods[name]).flatMap((uid: unknown, index) => {
      const field = `${at('uncountedTerminatedPods')}.${name}[${index}]`;
      if (uid === '') return [invalidValue(field, '', 'must not be empty')];
      if (seen.has(uid)) return [duplicate(field, uid)];
      seen.add(uid);
      return [];
    }),
  );
}

interface Change {
  readonly spec: Json;
  readonly status: Json;
  readonly before: Json;
  /** Whether a condition or another field is not what it was. */
  has(...names: readonly string[]): boolean;
}

const ends = ['Complete', 'Failed'];
const isFinished = (status: Json): boolean => ends.some((type) => isTrue(status, type));

function changeOf(object: KubeObject, old: KubeObject): Change {
  const [status, before] = [record(object['status']), record(old['status'])];
  const isChanged = (name: string): boolean => {
    if (name === 'Finished') return isFinished(status) !== isFinished(before);
    if (/^[A-Z]/.test(name)) return isTrue(status, name) !== isTrue(before, name);
    return !same(status[name], before[name]);
  };
  return {
    spec: record(object['spec']),
    status,
    before,
    has: (...names) => names.some(isChanged),
  };
}

/** What cannot hold at once, judged where one of both has changed. */
function clashes({ status, spec, has }: Change): StatusCause[] {
  const is = (type: string): boolean => isTrue(status, type);
  const why: string[] = [];
  const clash = (when: boolean, text: string): void => void (when ? why.push(text) : undefined);
  const both = (a: string, b: string): string => `cannot set ${a}=True and ${b}=true conditions`;
  const without = (a: string, b: string): string =>
    `cannot set ${a}=True condition without the ${b}=true condition`;
  const [isDone, isFailed, isMet] = [is('Complete'), is('Failed'), is('SuccessCriteriaMet')];
  const isTarget = is('FailureTarget');
  clash(has('Complete', 'Failed') && isDone && isFailed, both('Complete', 'Failed'));
  clash(has('Complete', 'FailureTarget') && isDone && isTarget, both('Complete', 'FailureTarget'));
  const failing = has('Failed', 'failedIndexes') && isFailed && !isTarget;
  clash(failing, without('Failed', 'FailureTarget'));
  const succeeding = has('Complete', 'SuccessCriteriaMet') && isDone && !isMet;
  clash(succeeding, without('Complete', 'SuccessCriteriaMet'));
  clash(isMet && isFailed, both('SuccessCriteriaMet', 'Failed'));
  clash(isMet && isTarget, both('SuccessCriteriaMet', 'FailureTarget'));
  clash(
    spec['successPolicy'] !== undefined && !isMet && isDone,
    'cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True',
  );
  return why.map(conditionsCause);
}

function times({ status, spec, has }: Change): StatusCause[] {
  const { startTime, completionTime } = status;
  const causes: StatusCause[] = [];
  const field = at('completionTime');
  if (has('Complete', 'completionTime')) {
    const isDone = isTrue(status, 'Complete');
    if (completionTime !== undefined && !isDone) {
      const why = 'cannot set completionTime when there is no Complete=True condition';
      causes.push(invalidValue(field, completionTime, why));
    }
    if (completionTime === undefined && isDone) {
      causes.push(requiredValue(field, 'completionTime is required for Complete jobs'));
    }
  }
  const isBefore = Date.parse(String(completionTime)) < Date.parse(String(startTime));
  if (has('startTime', 'completionTime') && isBefore) {
    causes.push(invalidValue(field, completionTime, 'must be equal to or after `startTime`'));
  }
  const isEmpty = spec['suspend'] === true && spec['completions'] === 0;
  if (has('Finished', 'startTime') && !isEmpty && startTime === undefined && isFinished(status)) {
    causes.push(requiredValue(at('startTime'), 'startTime is required for finished job'));
  }
  return causes;
}

function leftOver({ status, has }: Change): StatusCause[] {
  const { active = 0, terminating = 0, ready = 0, uncountedTerminatedPods: pods } = status;
  const causes: StatusCause[] = [];
  const finished = isFinished(status);
  const none = (name: string, value: unknown): void => {
    if (!has('Finished', name) || !finished || Number(value) <= 0) return;
    causes.push(invalidValue(at(name), value, `${name}>0 is invalid for finished job`));
  };
  none('active', active);
  const { succeeded, failed } = record(pods);
  const count = list(succeeded).length + list(failed).length;
  if (has('Finished', 'uncountedTerminatedPods') && finished && count > 0) {
    const shown = { Succeeded: succeeded ?? null, Failed: failed ?? null };
    causes.push(
      invalidValue(at('uncountedTerminatedPods'), shown, 'must be empty for finished job'),
    );
  }
  none('terminating', terminating);
  if (has('ready', 'active') && status['ready'] !== undefined && Number(ready) > Number(active)) {
    causes.push(invalidValue(at('ready'), ready, 'cannot set more ready pods than active'));
  }
  return causes;
}

/** The first index that is in both texts. */
function overlap(a: string, b: string): number | undefined {
  const indexes = (text: string): number[] =>
    text.split(',').flatMap((part) => {
      const [from = 0, to = from] = part.split('-').map(Number);
      return Array.from({ length: to - from + 1 }, (_none, index) => from + index);
    });
  const known = new Set(indexes(a));
  return indexes(b).find((one) => known.has(one));
}

function indexes({ status, spec, has }: Change): StatusCause[] {
  const { completedIndexes: done = '', failedIndexes: failed } = status;
  const { completions: count, backoffLimitPerIndex: limit, completionMode } = spec;
  const causes: StatusCause[] = [];
  const parsed = (name: string, text: unknown): boolean => {
    const found = countIndexes(String(text), Number(count));
    if (typeof found === 'number') return true;
    if (has(name)) causes.push(invalidValue(at(name), text, `error parsing ${name}: ${found}`));
    return false;
  };
  const isRight = count === undefined || parsed('completedIndexes', done);
  let isWhole = isRight && count !== undefined && failed !== undefined;
  if (count !== undefined && limit !== undefined && failed !== undefined) {
    isWhole = parsed('failedIndexes', failed) && isWhole;
  }
  if (has('completedIndexes') && done !== '' && completionMode !== 'Indexed') {
    const why = 'cannot set non-empty completedIndexes when non-indexed completion mode';
    causes.push(invalidValue(at('completedIndexes'), done, why));
  }
  if (has('failedIndexes') && limit === undefined && failed !== undefined) {
    const why = 'cannot set non-null failedIndexes when backoffLimitPerIndex is null';
    causes.push(invalidValue(at('failedIndexes'), failed, why));
  }
  if (!has('failedIndexes', 'completedIndexes') || !isWhole || done === '' || failed === '')
    return causes;
  const both = overlap(String(done), String(failed));
  if (both === undefined) return causes;
  const why = `failedIndexes and completedIndexes overlap at index: ${both}`;
  return [...causes, invalidValue(at('failedIndexes'), failed, why)];
}

function backwards({ status, before, spec }: Change): StatusCause[] {
  const causes: StatusCause[] = [];
  for (const type of ['Failed', 'Complete', 'FailureTarget']) {
    if (!isTrue(before, type) || isTrue(status, type)) continue;
    causes.push(conditionsCause(`cannot disable the terminal ${type}=True condition`));
  }
  const counted = (name: string): void => {
    const [now, was] = [Number(status[name] ?? 0), Number(before[name] ?? 0)];
    if (now < was) causes.push(invalidValue(at(name), now, `cannot decrease the ${name} counter`));
  };
  counted('failed');
  // Those that have as many pods as completions are made smaller.
  const { completionMode, completions: count, parallelism } = spec;
  if (completionMode !== 'Indexed' || count !== parallelism) counted('succeeded');
  const { completionTime, startTime } = status;
  const moved = (a: unknown, b: unknown): boolean => a !== undefined && b !== undefined && a !== b;
  if (moved(completionTime, before['completionTime'])) {
    causes.push(invalidValue(at('completionTime'), completionTime, IMMUTABLE));
  }
  const isResumed =
    isTrue(before, 'Suspended') &&
    list(status['conditions']).some(
      (one) => one['type'] === 'Suspended' && one['status'] === 'False',
    );
  const wasStarted = before['startTime'] !== undefined;
  if (wasStarted && startTime !== before['startTime'] && spec['suspend'] !== true && !isResumed) {
    const why = 'field is immutable for unsuspended job once set';
    causes.push(invalidValue(at('startTime'), startTime ?? null, why));
  }
  const met = 'SuccessCriteriaMet';
  if (isTrue(before, met) && !isTrue(status, met)) {
    causes.push(conditionsCause(`cannot disable the ${met}=True condition`));
  }
  if (isTrue(before, 'Complete') && !isTrue(before, met) && isTrue(status, met)) {
    const why = `cannot set ${met}=True for Job already has Complete=true conditions`;
    causes.push(conditionsCause(why));
  }
  return causes;
}

export function validateJobStatus(
  status: Json,
  object: KubeObject,
  old: KubeObject,
): StatusCause[] {
  const change = changeOf(object, old);
  const counts = ['active', 'succeeded', 'failed', 'ready', 'terminating'];
  return [
    ...counts.flatMap((name) => notNegative(at(name), status[name])),
    ...uncounted(status),
    ...clashes(change),
    ...times(change),
    ...leftOver(change),
    ...indexes(change),
    ...backwards(change),
  ];
}
