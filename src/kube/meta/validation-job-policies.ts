// Validates how jobs count their pods: completions by index, when they fail and when they succeed, as kube-apiserver
// v1.37 does.
import { list, notNegative, oneOf, qualified, record, type Json } from './field-rules.ts';
import { duplicate, invalidValue, requiredValue, unsupported } from './names.ts';
import type { StatusCause } from './status.ts';

const actions = ['Count', 'FailIndex', 'FailJob', 'Ignore'];
const operators = ['In', 'NotIn'];
const states = ['False', 'True', 'Unknown'];

/** What is missing is told with what there is, as Go prints a list. */
function chosen(field: string, value: unknown, words: readonly string[]): StatusCause[] {
  if (value !== undefined && value !== '') return oneOf(field, value, words);
  const shown = words.map((one) => JSON.stringify(one)).join(' ');
  return [requiredValue(field, `valid values: [${shown}]`)];
}

function exitCodes(codes: Json, at: string, containers: ReadonlySet<unknown>): StatusCause[] {
  const { operator, containerName, values } = codes;
  const causes = chosen(`${at}.operator`, operator, operators);
  if (containerName !== undefined && !containers.has(containerName)) {
    const why = 'must be one of the container or initContainer names in the pod template';
    causes.push(invalidValue(`${at}.containerName`, containerName, why));
  }
  const field = `${at}.values`;
  const all = list(values) as unknown as number[];
  if (all.length === 0) {
    causes.push(invalidValue(field, values ?? null, 'at least one value is required'));
  }
  const seen = new Set<number>();
  all.forEach((code, i) => {
    if (operator === 'In' && code === 0) {
      causes.push(invalidValue(`${field}[${i}]`, 0, 'must not be 0 for the In operator'));
    }
    if (seen.has(code)) causes.push(duplicate(`${field}[${i}]`, code));
    seen.add(code);
  });
  const isOrdered = all.every((code, i) => i === 0 || (all[i - 1] ?? code) <= code);
  if (!isOrdered) causes.push(invalidValue(field, all, 'must be ordered'));
  return causes;
}

function podConditions(patterns: unknown, at: string): StatusCause[] {
  return list(patterns).flatMap(({ type, status }, i) => [
    ...qualified(`${at}[${i}].type`, type),
    ...chosen(`${at}[${i}].status`, status, states),
  ]);
}

function failureRule(rule: Json, at: string, spec: Json): StatusCause[] {
  const { action, onExitCodes, onPodConditions } = rule;
  const pod = record(record(spec['template'])['spec']);
  const all = [...list(pod['containers']), ...list(pod['initContainers'])];
  const names = new Set(all.map(({ name }) => name));
  const causes = chosen(`${at}.action`, action, actions);
  if (action === 'FailIndex' && spec['backoffLimitPerIndex'] === undefined) {
    const why = 'requires the backoffLimitPerIndex to be set';
    causes.push(invalidValue(`${at}.action`, action, why));
  }
  if (onExitCodes !== undefined) {
    causes.push(...exitCodes(record(onExitCodes), `${at}.onExitCodes`, names));
  }
  causes.push(...podConditions(onPodConditions, `${at}.onPodConditions`));
  const ways = Number(onExitCodes !== undefined) + Number(list(onPodConditions).length > 0);
  if (ways === 1) return causes;
  const why =
    ways === 0
      ? 'specifying one of OnExitCodes and OnPodConditions is required'
      : 'specifying both OnExitCodes and OnPodConditions is not supported';
  const message = `Invalid value: ${why}`;
  return [...causes, { reason: 'FieldValueInvalid', message, field: at }];
}

/** How many indexes a text like `0-2,5` names; or why it names none. */
export function countIndexes(text: string, completions: number): number | string {
  let last: number | undefined;
  let total = 0;
  for (const part of text === '' ? [] : text.split(',')) {
    const ends = part.split('-');
    if (ends.length > 2) {
      return `the fragment ${JSON.stringify(part)} violates the requirement that an index interval can have at most two parts separated by '-'`;
    }
    for (const end of ends) {
      const shown = JSON.stringify(end);
      if (!/^\d+$/.test(end)) return `cannot convert string to integer for index: ${shown}`;
      if (Number(end) >= completions) return `too large index: ${shown}`;
    }
    const [from = 0, to = from] = ends.map(Number);
    const order = (before: number, now: number): string =>
      `non-increasing order, previous: ${before}, current: ${now}`;
    if (ends.length === 2 && from >= to) return order(from, to);
    if (last !== undefined && last >= from) return order(last, from);
    total += to - from + 1;
    last = to;
  }
  return total;
}

function successRule(rule: Json, at: string, completions: number): StatusCause[] {
  const { succeededIndexes: indexes, succeededCount: count } = rule;
  const causes: StatusCause[] = [];
  if (indexes === undefined && count === undefined) {
    const why = 'at least one of succeededCount or succeededIndexes must be specified';
    causes.push(requiredValue(at, why));
  }
  let total = 0;
  if (indexes !== undefined) {
    const found = countIndexes(String(indexes), completions);
    if (typeof found === 'number') total = found;
    else {
      const why = `error parsing succeededIndexes: ${found}`;
      causes.push(invalidValue(`${at}.succeededIndexes`, indexes, why));
    }
  }
  if (typeof count !== 'number') return causes;
  const field = `${at}.succeededCount`;
  causes.push(...notNegative(field, count));
  const most = (limit: number, what: string): void => {
    if (count <= limit) return;
    causes.push(invalidValue(field, count, `must be less than or equal to ${limit} (${what})`));
  };
  most(completions, 'the number of specified completions');
  if (indexes !== undefined) {
    most(total, 'the number of indexes in the specified succeededIndexes field');
  }
  return causes;
}

function successPolicy(spec: Json, field: string): StatusCause[] {
  const { successPolicy: policy, completionMode, completions } = spec;
  if (policy === undefined) return [];
  const rules = list(record(policy)['rules']);
  if (completionMode !== 'Indexed') {
    const shown = rules.map(({ succeededIndexes = null, succeededCount = null }) => ({
      SucceededIndexes: succeededIndexes,
      SucceededCount: succeededCount,
    }));
    const all = { Rules: Array.isArray(record(policy)['rules']) ? shown : null };
    return [invalidValue(field, all, 'requires indexed completion mode')];
  }
  if (rules.length === 0) {
    const why = 'at least one rules must be specified when the successPolicy is specified';
    return [requiredValue(`${field}.rules`, why)];
  }
  // Upstream has no answer to a job of indexes whose count is missing.
  if (typeof completions !== 'number') return [];
  return rules.flatMap((rule, i) => successRule(rule, `${field}.rules[${i}]`, completions));
}

function indexed(spec: Json, at: string): StatusCause[] {
  const { completionMode, completions, maxFailedIndexes: most, backoffLimitPerIndex } = spec;
  const causes: StatusCause[] = [];
  if (most !== undefined && backoffLimitPerIndex === undefined) {
    const why = 'when maxFailedIndexes is specified';
    causes.push(requiredValue(`${at}.backoffLimitPerIndex`, why));
  }
  if (completionMode === 'Indexed') {
    if (completions === undefined) {
      causes.push(requiredValue(`${at}.completions`, 'when completion mode is Indexed'));
    } else if (Number(most ?? 0) > Number(completions)) {
      const why = 'must be less than or equal to completions';
      causes.push(invalidValue(`${at}.maxFailedIndexes`, most, why));
    }
  }
  if (completionMode !== undefined && completionMode !== 'NonIndexed') return causes;
  for (const name of ['backoffLimitPerIndex', 'maxFailedIndexes']) {
    if (spec[name] === undefined) continue;
    causes.push(invalidValue(`${at}.${name}`, spec[name], 'requires indexed completion mode'));
  }
  return causes;
}

function replacement(spec: Json, field: string): StatusCause[] {
  const { podReplacementPolicy: policy, podFailurePolicy } = spec;
  const words = podFailurePolicy === undefined ? ['Failed', 'TerminatingOrFailed'] : ['Failed'];
  return oneOf(field, policy, words);
}

function restart(spec: Json, field: string): StatusCause[] {
  const policy = record(record(spec['template'])['spec'])['restartPolicy'] ?? 'Always';
  if (policy === 'Always') return [requiredValue(field, 'valid values: "OnFailure", "Never"')];
  const words = ['OnFailure', 'Never'];
  if (!words.includes(String(policy))) return [unsupported(field, policy, words)];
  if (spec['podFailurePolicy'] === undefined || policy === 'Never') return [];
  const why = 'only "Never" is supported when podFailurePolicy is specified';
  return [invalidValue(field, policy, why)];
}

/** All of a job but its counts and its template. */
export function jobPolicies(spec: Json, at: string): StatusCause[] {
  const rules = list(record(spec['podFailurePolicy'])['rules']);
  const failing = `${at}.podFailurePolicy`;
  return [
    ...indexed(spec, at),
    ...rules.flatMap((rule, i) => failureRule(rule, `${failing}.rules[${i}]`, spec)),
    ...successPolicy(spec, `${at}.successPolicy`),
    ...replacement(spec, `${at}.podReplacementPolicy`),
    ...restart(spec, `${at}.template.spec.restartPolicy`),
  ];
}
