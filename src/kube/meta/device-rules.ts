// Rules that claims, classes and slices of devices share (names of drivers, pools and attributes, taints,
// opaque configurations, conditions to bind), as kube-apiserver v1.37 has them.
import { isObject, labelValues, list, named, oneOf, qualified, record } from './field-rules.ts';
import type { Json } from './field-rules.ts';
import { duplicate, invalidValue, nameProblem, requiredValue, tooLong, tooMany } from './names.ts';
import type { StatusCause } from './status.ts';
import { driverName } from './validation-remote-volumes.ts';

const DRIVER_LENGTH_MAX = 63;
const POOL_LENGTH_MAX = 253;
const ID_LENGTH_MAX = 32;
export const CONFIGURATION_BYTES_MAX = 10 * 1024;

/** Rules that upstream generates count in bytes where those that it has written count in characters. */
export const inBytes = (text: string): string => text.replace(/characters$/, 'bytes');

export function generatedName(
  field: string,
  value: unknown,
  rule: 'label' | 'subdomain',
): StatusCause[] {
  const wrong = nameProblem(rule, String(value ?? ''));
  return wrong === undefined ? [] : [invalidValue(field, value ?? '', inBytes(wrong))];
}

export function twice<T>(
  items: readonly T[],
  keyOf: (item: T) => unknown,
  at: string,
  shown: (item: T) => unknown = (item) => item,
): StatusCause[] {
  const seen = new Set<unknown>();
  return items.flatMap((item, index) => {
    const key = keyOf(item);
    if (seen.has(key)) return [duplicate(`${at}[${index}]`, shown(item))];
    seen.add(key);
    return [];
  });
}

/** No more than `max` (and then nothing else is said), each right, and none twice where there is a key. */
export function listOf(
  items: unknown,
  at: string,
  {
    max = Number.POSITIVE_INFINITY,
    check,
    keyOf,
    shown = (item) => item,
  }: {
    readonly max?: number;
    readonly check: (item: Json, at: string) => StatusCause[];
    readonly keyOf?: (item: Json) => unknown;
    readonly shown?: (item: Json) => unknown;
  },
): StatusCause[] {
  const all = list(items);
  if (all.length > max) return [tooMany(at, all.length, max)];
  return [
    ...all.flatMap((item, index) => check(item, `${at}[${index}]`)),
    ...(keyOf === undefined ? [] : twice(all, keyOf, at, shown)),
  ];
}

const caselessText =
  "an RFC 1123 subdomain must consist of alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'Example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

/** Of a driver, where upstream generates the rule. */
export function generatedDriver(field: string, driver: unknown): StatusCause[] {
  const text = String(driver ?? '');
  if (text === '') return [requiredValue(field)];
  const wrong = nameProblem('subdomain', text.toLowerCase());
  const why = wrong?.startsWith('must') === true ? inBytes(wrong) : caselessText;
  return [
    ...(wrong === undefined ? [] : [invalidValue(field, text, why)]),
    ...(text.length > DRIVER_LENGTH_MAX ? [tooLong(field, DRIVER_LENGTH_MAX, 'characters')] : []),
  ];
}

export function poolName(field: string, value: unknown): StatusCause[] {
  const text = String(value ?? '');
  if (text === '') return [requiredValue(field)];
  return [
    ...(text.length > POOL_LENGTH_MAX ? [tooLong(field, POOL_LENGTH_MAX)] : []),
    ...text.split('/').flatMap((part) => named(field, part, 'subdomain')),
  ];
}

/** The same where upstream generates it: parts are told by their numbers. */
export function generatedPool(field: string, value: unknown): StatusCause[] {
  const text = String(value ?? '');
  if (text === '') return [requiredValue(field)];
  return [
    ...(text.length > POOL_LENGTH_MAX ? [tooLong(field, POOL_LENGTH_MAX)] : []),
    ...text.split('/').flatMap((part, index) => {
      const where = `segment ${index}: `;
      if (part === '') return [invalidValue(field, text, `${where}must not be empty`)];
      const wrong = nameProblem('subdomain', part);
      return wrong === undefined ? [] : [invalidValue(field, part, where + inBytes(wrong))];
    }),
  ];
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function shareId(field: string, id: unknown): StatusCause[] {
  if (id === undefined || UUID.test(String(id))) return [];
  return [invalidValue(field, id, 'must be a lowercase UUID in 8-4-4-4-12 format')];
}

const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;
const identifierText =
  "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for validation is '[A-Za-z_][A-Za-z0-9_]*')";

function identifier(field: string, id: string): StatusCause[] {
  return [
    ...(id.length > ID_LENGTH_MAX ? [tooLong(field, ID_LENGTH_MAX)] : []),
    ...(IDENTIFIER.test(id) ? [] : [invalidValue(field, id, identifierText)]),
  ];
}

/** Of an attribute or a capacity, with or without the domain of a driver. */
export function attributeName(field: string, name: string): StatusCause[] {
  const [first = '', second, ...more] = name.split('/');
  if (more.length > 0) return [];
  if (second === undefined) return identifier(field, first);
  return [
    ...(first === ''
      ? [invalidValue(field, '', 'the domain must not be empty')]
      : driverName(field, first)),
    ...(second === ''
      ? [invalidValue(field, '', 'the name must not be empty')]
      : identifier(field, second)),
  ];
}

/** With the domain; the rule is one that upstream generates. */
export function fullAttributeName(field: string, value: unknown): StatusCause[] {
  const name = String(value);
  const [first = '', second, ...more] = name.split('/');
  const causes: StatusCause[] = [];
  if (more.length === 0 && second === undefined) causes.push(...identifier(field, first));
  if (more.length === 0 && second !== undefined) {
    if (first === '') causes.push(invalidValue(field, '', 'prefix must not be empty'));
    else {
      if (first.length > DRIVER_LENGTH_MAX) causes.push(tooLong(field, DRIVER_LENGTH_MAX));
      const wrong = nameProblem('subdomain', first);
      if (wrong !== undefined) {
        causes.push(invalidValue(field, first, `prefix: ${inBytes(wrong)}`));
      }
    }
    if (second === '') causes.push(invalidValue(field, '', 'name must not be empty'));
    else causes.push(...identifier(field, second));
  }
  if (name.includes('/')) return causes;
  const why = 'a fully qualified name must be a domain and a name separated by a slash';
  return [...causes, invalidValue(field, name, why)];
}

const taintEffects = ['NoExecute', 'NoSchedule', 'None'];

function labelValue(field: string, value: unknown): StatusCause[] {
  return labelValues([value ?? ''], field).map((one) => ({ ...one, field }));
}

export function deviceTaint(taint: Json, at: string): StatusCause[] {
  const { effect = '', value } = taint;
  return [
    ...qualified(`${at}.key`, taint['key']),
    ...labelValue(`${at}.value`, value),
    ...(effect === ''
      ? [requiredValue(`${at}.effect`)]
      : oneOf(`${at}.effect`, effect, taintEffects)),
  ];
}

const operators = ['Equal', 'Exists'];

export function deviceTolerations(tolerations: unknown, at: string): StatusCause[] {
  return list(tolerations).flatMap(({ key, operator = '', value, effect }, index) => {
    const field = `${at}[${index}]`;
    const causes = key ? qualified(`${field}.key`, key) : [];
    const where = `${field}.value`;
    if (operator === 'Exists') {
      const why = 'must be empty for operator `Exists`';
      if (value) causes.push(invalidValue(where, value, why));
    } else if (operator === 'Equal') causes.push(...labelValue(where, value));
    else if (operator === '') causes.push(requiredValue(`${field}.operator`));
    else causes.push(...oneOf(`${field}.operator`, operator, operators));
    return [...causes, ...oneOf(`${field}.effect`, effect || undefined, taintEffects)];
  });
}

const OMITTED = '<value omitted>';

export function rawParameters(value: unknown, field: string): StatusCause[] {
  if (value === undefined || value === null) return [requiredValue(field)];
  const size = Buffer.byteLength(JSON.stringify(value));
  if (size > CONFIGURATION_BYTES_MAX) return [tooLong(field, CONFIGURATION_BYTES_MAX)];
  return isObject(value) ? [] : [invalidValue(field, OMITTED, 'must be a valid JSON object')];
}

export function opaqueConfiguration({ opaque }: Json, at: string): StatusCause[] {
  if (opaque === undefined) return [requiredValue(`${at}.opaque`)];
  const { driver, parameters } = record(opaque);
  return [
    ...generatedDriver(`${at}.opaque.driver`, driver),
    ...rawParameters(parameters, `${at}.opaque.parameters`),
  ];
}

const BINDING_CONDITIONS_MAX = 4;

/** What has to hold before a pod is bound to a device, and what tells that it never will. */
export function bindingConditions(device: Json, at: string): StatusCause[] {
  const { bindingConditions: wanted, bindingFailureConditions: failing } = device;
  const labelKeys = (names: unknown, field: string): StatusCause[] =>
    listOf(names, field, {
      max: BINDING_CONDITIONS_MAX,
      check: (one, where) => qualified(where, one),
    });
  const [own, other] = [`${at}.bindingConditions`, `${at}.bindingFailureConditions`];
  const [names, failures] = [list(wanted) as unknown[], list(failing) as unknown[]];
  const causes = [...labelKeys(wanted, own), ...labelKeys(failing, other)];
  causes.push(...twice(names, (name) => name, own), ...twice(failures, (name) => name, other));
  failures.forEach((name, index) => {
    if (!names.includes(name)) return;
    const why = 'bindingFailureConditions must not overlap with bindingConditions';
    causes.push(invalidValue(`${other}[${index}]`, name, why));
  });
  if (names.length === 0 && failures.length > 0) {
    const why = 'bindingConditions are required to use bindingFailureConditions';
    causes.push(invalidValue(own, wanted ?? null, why));
  }
  if (failures.length === 0 && names.length > 0) {
    const why = 'bindingFailureConditions are required to use bindingConditions';
    causes.push(invalidValue(other, failing ?? null, why));
  }
  return causes;
}

const skippable = ['*', 'NodePrepareResources', 'NodeUnprepareResources'];

export function skippedOperations(names: unknown, at: string): StatusCause[] {
  const all = list(names) as unknown[];
  const causes = all.flatMap((name, index) => oneOf(`${at}[${index}]`, name, skippable));
  causes.push(...twice(all, (name) => name, at));
  const isHalf =
    all.includes('NodePrepareResources') &&
    !all.includes('NodeUnprepareResources') &&
    !all.includes('*');
  if (!isHalf) return causes;
  const why =
    'NodePrepareResources cannot be skipped unless NodeUnprepareResources is also skipped';
  return [...causes, invalidValue(at, names, why)];
}
