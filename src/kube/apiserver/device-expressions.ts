// Judges the expressions by which claims and classes choose devices when they are written: that they can be
// compiled over a device, and give what their place needs, as kube-apiserver v1.37 does.
import { same } from '#base/same.ts';
import type { Environment } from '#kube/cel/environment.ts';
import { baseEnvironment, compile, CompileError } from '#kube/cel/program.ts';
import { parseType, struct, type CelType } from '#kube/cel/types.ts';
import { isObject, list, record, type Json } from '#kube/meta/field-rules.ts';
import { invalidValue, tooLong } from '#kube/meta/names.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import type { StatusCause } from '#kube/meta/status.ts';

const EXPRESSION_BYTES_MAX = 10 * 1024;
const ITEMS_MAX = 32;

let shared: Environment | undefined;

/** With the one variable `device`. */
function environment(): Environment {
  if (shared !== undefined) return shared;
  const env = baseEnvironment().clone();
  const fields = new Map<string, CelType>([
    ['driver', parseType('string')],
    ['allowMultipleAllocations', parseType('bool')],
    ['attributes', parseType('map(string, map(string, dyn))')],
    ['capacity', parseType('map(string, map(string, kubernetes.Quantity))')],
  ]);
  const type = struct('kubernetes.DRADevice');
  env.struct({ type, field: (name) => fields.get(name) });
  env.variable('device', type);
  shared = env;
  return env;
}

const scalars = ['bool', 'string', 'int', 'kubernetes.Semver', 'dyn'];
const derivedTypes = new Set([...scalars, ...scalars.map((one) => `list(${one})`)]);

function wrongType(type: string, isDerived: boolean): string | undefined {
  if (isDerived) {
    if (derivedTypes.has(type)) return undefined;
    return `must evaluate to a primitive scalar (string, integer, boolean, semver) or a list of these scalars, not ${type}`;
  }
  if (type === 'bool' || type === 'dyn') return undefined;
  return `must evaluate to bool or the unknown type, not ${type}`;
}

function expression(given: unknown, at: string, isDerived: boolean): StatusCause[] {
  const source = String(given ?? '');
  if (Buffer.byteLength(source) > EXPRESSION_BYTES_MAX) return [tooLong(at, EXPRESSION_BYTES_MAX)];
  try {
    const wrong = wrongType(compile(environment(), source).type, isDerived);
    return wrong === undefined ? [] : [invalidValue(at, source, wrong)];
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    return [invalidValue(at, source, `compilation failed: ${error.message}`)];
  }
}

/** Lists that are too long are refused as such, and not looked into. */
function each(
  given: unknown,
  at: string,
  check: (one: Json, at: string) => StatusCause[],
): StatusCause[] {
  const all = list(given);
  if (all.length > ITEMS_MAX) return [];
  return all.flatMap((one, index) => check(one, `${at}[${index}]`));
}

function selectors(given: unknown, at: string): StatusCause[] {
  return each(given, at, ({ cel }, field) =>
    isObject(cel) ? expression(cel['expression'], `${field}.cel.expression`, false) : [],
  );
}

function wanted(one: Json, at: string): StatusCause[] {
  return [
    ...selectors(one['selectors'], `${at}.selectors`),
    ...each(one['derivedAttributes'], `${at}.derivedAttributes`, ({ expression: given }, field) =>
      given ? expression(given, `${field}.expression`, true) : [],
    ),
  ];
}

function requests(devices: unknown, at: string): StatusCause[] {
  return each(record(devices)['requests'], `${at}.requests`, (one, field) => {
    const { exactly, firstAvailable } = one;
    const choices = list(firstAvailable);
    if (isObject(exactly)) return choices.length > 0 ? [] : wanted(exactly, `${field}.exactly`);
    return each(choices, `${field}.firstAvailable`, wanted);
  });
}

/** Those that were stored before are not judged again. */
export function validateDeviceExpressions(
  object: KubeObject,
  old: KubeObject | undefined,
): StatusCause[] {
  const spec = record(object['spec']);
  switch (object.kind) {
    case 'DeviceClass': {
      const before = record(old?.['spec'])['selectors'];
      if (old !== undefined && same(spec['selectors'], before)) return [];
      return selectors(spec['selectors'], 'spec.selectors');
    }
    case 'ResourceClaim':
      return old === undefined ? requests(spec['devices'], 'spec.devices') : [];
    case 'ResourceClaimTemplate':
      return old === undefined
        ? requests(record(spec['spec'])['devices'], 'spec.spec.devices')
        : [];
    default:
      return [];
  }
}
