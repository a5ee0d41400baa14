// Rules that many fields share (numbers in a range, one of some words, addresses, ports, selectors), each
// giving the causes that kube-apiserver v1.37 gives.
import { isNumber } from './exact-numbers.ts';
import {
  invalidValue,
  nameProblem,
  qualifiedNameProblems,
  requiredValue,
  unsupported,
  validateLabels,
  type NameRule,
} from './names.ts';
import { addressProblem, networkProblem } from './ip-ranges.ts';
import { compareQuantities } from './quantity.ts';
import type { StatusCause } from './status.ts';

export type Json = Record<string, unknown>;

export const list = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : []);
export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
export const record = (value: unknown): Json => (isObject(value) ? value : {});

export function notNegative(field: string, value: unknown): StatusCause[] {
  const isWrong = isNumber(value) && value < 0;
  return isWrong ? [invalidValue(field, value, 'must be greater than or equal to 0')] : [];
}

export function inRange(field: string, value: unknown, from: number, to: number): StatusCause[] {
  if (!isNumber(value) || (value >= from && value <= to)) return [];
  return [invalidValue(field, value, `must be between ${from} and ${to}, inclusive`)];
}

const PORT_MAX = 65_535;
export const portNumber = (field: string, value: unknown): StatusCause[] =>
  inRange(field, value ?? 0, 1, PORT_MAX);

/** Nothing to say of a field that is not there. */
export function oneOf(field: string, value: unknown, words: readonly string[]): StatusCause[] {
  if (value === undefined || words.includes(String(value))) return [];
  return [unsupported(field, value, words)];
}

export function needed(field: string, value: unknown, why = ''): StatusCause[] {
  const isThere = value !== undefined && value !== null && value !== '';
  return isThere ? [] : [requiredValue(field, why)];
}

export function named(field: string, value: unknown, rule: NameRule): StatusCause[] {
  if (value === undefined) return [];
  const wrong = nameProblem(rule, String(value));
  return wrong === undefined ? [] : [invalidValue(field, value, wrong)];
}

export function qualified(field: string, value: unknown): StatusCause[] {
  const text = String(value ?? '');
  return qualifiedNameProblems(text).map((wrong) => invalidValue(field, text, wrong));
}

const PORT_NAME_LENGTH_MAX = 15;

export function portName(field: string, name: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const fail = (why: string): void => void causes.push(invalidValue(field, name, why));
  if (name.length > PORT_NAME_LENGTH_MAX) fail('must be no more than 15 characters');
  if (!/^[-a-z0-9]+$/.test(name)) {
    fail('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  }
  if (!/[a-z]/.test(name)) fail('must contain at least one letter (a-z)');
  if (name.includes('--')) fail('must not contain consecutive hyphens');
  if (name.startsWith('-') || name.endsWith('-')) fail('must not begin or end with a hyphen');
  return causes;
}

export function portNumberOrName(field: string, value: unknown): StatusCause[] {
  return typeof value === 'string' ? portName(field, value) : portNumber(field, value);
}

/** What was taken before (`known`) is taken again. */
export function ipAddress(
  field: string,
  value: unknown,
  known: readonly unknown[] = [],
): StatusCause[] {
  const why = known.includes(value) ? undefined : addressProblem(String(value));
  return why === undefined ? [] : [invalidValue(field, value, why)];
}

/** What was taken before (`known`) is taken again. */
export function cidrBlock(
  field: string,
  value: unknown,
  known: readonly unknown[] = [],
): StatusCause[] {
  const why = known.includes(value) ? undefined : networkProblem(String(value));
  return why === undefined ? [] : [invalidValue(field, value, why)];
}

const percentText =
  "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";

/** A count or a percentage. */
export function countOrPercent(field: string, value: unknown): StatusCause[] {
  if (typeof value === 'number') return notNegative(field, value);
  if (value === undefined || /^[0-9]+%$/.test(String(value))) return [];
  return [invalidValue(field, value, percentText)];
}

export function atMostAllOfIt(field: string, value: unknown): StatusCause[] {
  const isPercent = typeof value === 'string' && /^[0-9]+%$/.test(value);
  if (!isPercent || Number.parseInt(value, 10) <= 100) return [];
  return [invalidValue(field, value, 'must not be greater than 100%')];
}

export function quantityNotNegative(field: string, value: unknown): StatusCause[] {
  if (compareQuantities(value, '0') >= 0) return [];
  return [invalidValue(field, String(value), 'must be greater than or equal to 0')];
}

// ---- label selectors ----

const selectorOperators = ['In', 'NotIn', 'Exists', 'DoesNotExist'];

export function requirement(
  one: Json,
  field: string,
  operators: readonly string[] = selectorOperators,
): StatusCause[] {
  const operator = String(one['operator'] ?? '');
  const values = (one['values'] ?? []) as string[];
  const causes: StatusCause[] = [];
  if (!operators.includes(operator)) {
    causes.push(invalidValue(`${field}.operator`, operator, 'not a valid selector operator'));
  } else if ((operator === 'In' || operator === 'NotIn') && values.length === 0) {
    const why = "must be specified when `operator` is 'In' or 'NotIn'";
    causes.push(requiredValue(`${field}.values`, why));
  } else if (operator.includes('Exist') && values.length > 0) {
    causes.push({
      reason: 'FieldValueForbidden',
      message: "Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
      field: `${field}.values`,
    });
  } else if ((operator === 'Gt' || operator === 'Lt') && values.length !== 1) {
    const why = "must be specified single value when `operator` is 'Lt' or 'Gt'";
    causes.push(requiredValue(`${field}.values`, why));
  }
  causes.push(...qualified(`${field}.key`, one['key']));
  return causes;
}

/** Each must be one that a label may have. */
export function labelValues(values: unknown, field: string): StatusCause[] {
  return (Array.isArray(values) ? values : []).flatMap((value, i) =>
    validateLabels({ a: String(value) }, '').map((cause) => ({
      ...cause,
      field: `${field}[${i}]`,
    })),
  );
}

export function labelSelector(selector: unknown, field: string): StatusCause[] {
  if (!isObject(selector)) return [];
  return [
    ...validateLabels(
      selector['matchLabels'] as Record<string, string> | undefined,
      `${field}.matchLabels`,
    ),
    ...list(selector['matchExpressions']).flatMap((one, index) => {
      const at = `${field}.matchExpressions[${index}]`;
      return [...requirement(one, at), ...labelValues(one['values'], `${at}.values`)];
    }),
  ];
}

/** As Go writes it: keys in their order, and what is missing empty. */
export function selectorShown(selector: unknown): unknown {
  if (!isObject(selector)) return selector ?? null;
  const { matchLabels, matchExpressions } = selector;
  const labels = Object.entries(record(matchLabels)).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const requirements = list(matchExpressions).map(({ key = '', operator = '', values }) => ({
    key,
    operator,
    ...(list(values).length === 0 ? {} : { values }),
  }));
  return {
    ...(labels.length === 0 ? {} : { matchLabels: Object.fromEntries(labels) }),
    ...(requirements.length === 0 ? {} : { matchExpressions: requirements }),
  };
}

// ---- conditions ----

const REASON_LENGTH_MAX = 1024;
const REASON = /^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/;
const reasonText =
  "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')";

function condition(one: Json, at: string): StatusCause[] {
  const { type, status, observedGeneration, lastTransitionTime, reason } = one;
  const causes = type
    ? qualified(`${at}.type`, type)
    : [requiredValue(`${at}.type`, 'is required')];
  causes.push(
    ...(status
      ? oneOf(`${at}.status`, status, ['False', 'True', 'Unknown'])
      : [requiredValue(`${at}.status`)]),
  );
  if (Number(observedGeneration ?? 0) < 0) {
    const why = 'must be greater than or equal to zero';
    causes.push(invalidValue(`${at}.observedGeneration`, observedGeneration, why));
  }
  causes.push(...needed(`${at}.lastTransitionTime`, lastTransitionTime));
  causes.push(...needed(`${at}.reason`, reason));
  if (!reason) return causes;
  const text = String(reason);
  if (!REASON.test(text)) causes.push(invalidValue(`${at}.reason`, text, reasonText));
  if (text.length > REASON_LENGTH_MAX) {
    const message = `Too long: may not be more than ${REASON_LENGTH_MAX} bytes`;
    causes.push({ reason: 'FieldValueTooLong', message, field: `${at}.reason` });
  }
  return causes;
}

/** Of the kind that all newer APIs share (metav1.Condition). */
export function conditions(all: unknown, field: string): StatusCause[] {
  const seen = new Set<unknown>();
  return list(all).flatMap((one, index) => {
    const at = `${field}[${index}]`;
    const { type = '' } = one;
    const isTwice = seen.has(type);
    seen.add(type);
    const twice = {
      reason: 'FieldValueDuplicate',
      message: `Duplicate value: ${JSON.stringify(type)}`,
      field: at,
    };
    return [...(isTwice ? [twice] : []), ...condition(one, at)];
  });
}
