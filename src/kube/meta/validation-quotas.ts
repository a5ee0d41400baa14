// Validates quotas of namespaces and limits of what is in them, as kube-apiserver v1.37 does.
import { list, qualified, quantityNotNegative, record, type Json } from './field-rules.ts';
import { shownAs } from './go-shown.ts';
import { duplicate, forbidden, invalidShown, invalidValue, requiredValue } from './names.ts';
import { same } from '#base/same.ts';
import type { KubeObject } from './object.ts';
import { canonicalQuantity, compareQuantities, isWholeQuantity } from './quantity.ts';
import { numberOf } from './quantity-number.ts';
import type { StatusCause } from './status.ts';

type Rule = (object: KubeObject) => StatusCause[];

const quotaNames = new Set([
  'cpu',
  'memory',
  'ephemeral-storage',
  'storage',
  'pods',
  'services',
  'replicationcontrollers',
  'resourcequotas',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'requests.cpu',
  'requests.memory',
  'requests.storage',
  'requests.ephemeral-storage',
  'limits.cpu',
  'limits.memory',
  'limits.ephemeral-storage',
  'services.loadbalancers',
  'services.nodeports',
]);
const countedNames = new Set([...quotaNames].filter((name) => !/cpu|memory|storage$/.test(name)));
const scopes = new Set([
  'Terminating',
  'NotTerminating',
  'BestEffort',
  'NotBestEffort',
  'PriorityClass',
  'CrossNamespacePodAffinity',
  'VolumeAttributesClass',
]);

function amountCauses(field: string, amounts: unknown): StatusCause[] {
  return Object.entries(record(amounts)).flatMap(([name, value]) => {
    const at = `${field}[${name}]`;
    const wrong = qualified(at, name);
    const causes = [...wrong];
    if (!name.includes('/') && !quotaNames.has(name) && !/hugepages-/.test(name)) {
      if (wrong.length === 0) {
        const why = 'must be a standard resource type or fully qualified';
        causes.push(invalidValue(at, name, why));
      }
      causes.push(invalidValue(at, name, 'must be a standard resource for quota'));
    }
    causes.push(...quantityNotNegative(at, value));
    if (countedNames.has(name) && !isWholeQuantity(value)) {
      causes.push(invalidValue(at, canonicalQuantity(String(value)), 'must be an integer'));
    }
    return causes;
  });
}

export const validateQuota: Rule = (object) => {
  const spec = record(object['spec']);
  return [
    ...amountCauses('spec.hard', spec['hard']),
    ...scopeCauses(spec),
    ...selectorCauses(spec),
  ];
};

export const validateQuotaStatus = (status: Json): StatusCause[] =>
  ['hard', 'used'].flatMap((what) => amountCauses(`status.${what}`, status[what]));

const computed = [
  'cpu',
  'memory',
  'limits.cpu',
  'limits.memory',
  'requests.cpu',
  'requests.memory',
];
const ofPods = new Set(['pods', ...computed]);
const resourcesOf: Readonly<Record<string, ReadonlySet<string>>> = {
  Terminating: ofPods,
  NotTerminating: ofPods,
  NotBestEffort: ofPods,
  PriorityClass: ofPods,
  CrossNamespacePodAffinity: ofPods,
  BestEffort: new Set(['pods']),
  VolumeAttributesClass: new Set(['persistentvolumeclaims', 'requests.storage']),
};

/** Of those that are limited, as often as there are some that the scope has nothing to do with. */
function foreign(spec: Json, scope: string): string[] {
  const own = resourcesOf[scope];
  const names = Object.keys(record(spec['hard']));
  return own === undefined ? [] : names.filter((name) => quotaNames.has(name) && !own.has(name));
}

const opposites = [
  ['BestEffort', 'NotBestEffort'],
  ['Terminating', 'NotTerminating'],
] as const;

/** The scopes of the quota are shown also where it is its selector that has both. */
function conflicting(spec: Json, given: readonly string[]): StatusCause[] {
  const shown = spec['scopes'] ?? null;
  return opposites
    .filter((pair) => pair.every((one) => given.includes(one)))
    .map(() => invalidValue('spec.scopes', shown, 'conflicting scopes'));
}

function scopeCauses(spec: Json): StatusCause[] {
  const given = list(spec['scopes']).map(String);
  const refuse = (why: string): StatusCause => invalidValue('spec.scopes', given, why);
  const causes = given.flatMap((scope) => [
    ...(scopes.has(scope) ? [] : [refuse('unsupported scope')]),
    ...foreign(spec, scope).map(() => refuse('unsupported scope applied to resource')),
  ]);
  return [...causes, ...conflicting(spec, given)];
}

const valued = new Set(['PriorityClass', 'VolumeAttributesClass']);

function selectorCauses(spec: Json): StatusCause[] {
  const at = 'spec.scopeSelector.matchExpressions';
  const selector = spec['scopeSelector'];
  const all = list(record(selector)['matchExpressions']);
  const causes = all.flatMap((one) => {
    const scope = String(one['scopeName'] ?? '');
    const { operator = '', values } = one;
    const found: StatusCause[] = [];
    if (!scopes.has(scope)) found.push(invalidValue(`${at}.scopeName`, scope, 'unsupported scope'));
    const shown = shownAs('@ScopeSelector', selector);
    const why = 'unsupported scope applied to resource';
    found.push(...foreign(spec, scope).map(() => invalidShown(at, shown, why)));
    if (scopes.has(scope) && !valued.has(scope) && operator !== 'Exists') {
      const which =
        "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";
      found.push(invalidValue(`${at}.operator`, operator, which));
    }
    return [...found, ...valueCauses(operator, values, at)];
  });
  return [
    ...causes,
    ...conflicting(
      spec,
      all.map(({ scopeName }) => String(scopeName)),
    ),
  ];
}

function valueCauses(operator: unknown, values: unknown, at: string): StatusCause[] {
  const count = list(values).length;
  if (operator === 'In' || operator === 'NotIn') {
    const why = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
    return count === 0 ? [requiredValue(`${at}.values`, why)] : [];
  }
  if (operator !== 'Exists' && operator !== 'DoesNotExist')
    return [invalidValue(`${at}.operator`, operator, 'not a valid selector operator')];
  const why = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
  return count === 0 ? [] : [invalidValue(`${at}.values`, values, why)];
}

/** What a quota is about stays what it is. */
export function validateQuotaUpdate(object: KubeObject, old: KubeObject): StatusCause[] {
  const [next, before] = [record(object['spec'])['scopes'], record(old['spec'])['scopes']];
  if (same(list(next).toSorted(), list(before).toSorted())) return [];
  return [invalidValue('spec.scopes', next ?? null, 'field is immutable')];
}

const limitTypes = new Set(['Pod', 'Container', 'PersistentVolumeClaim']);

function limitType(field: string, type: string): StatusCause[] {
  const wrong = qualified(field, type);
  if (wrong.length > 0 || type.includes('/') || limitTypes.has(type)) return wrong;
  return [invalidValue(field, type, 'must be a standard limit type or fully qualified')];
}

/** How much more than the least the most may be. */
function ratioCauses(limit: Json, name: string, at: string): StatusCause[] {
  const amountOf = (field: string): unknown => record(limit[field])[name];
  const [ratio, least, most] = ['maxLimitRequestRatio', 'min', 'max'].map(amountOf);
  if (ratio === undefined) return [];
  const field = `${at}.maxLimitRequestRatio[${name}]`;
  const shown = canonicalQuantity(String(ratio)) ?? '';
  const causes: StatusCause[] = [];
  if (compareQuantities(ratio, '1') < 0) {
    causes.push(invalidValue(field, shown, `ratio ${shown} is less than 1`));
  }
  if (least === undefined || most === undefined) return causes;
  const widest = numberOf(String(most)) / numberOf(String(least));
  if (numberOf(String(ratio)) <= widest) return causes;
  const limitText = Number.isFinite(widest) ? widest.toFixed(6) : '+Inf';
  const why = `ratio ${shown} is greater than max/min = ${limitText}`;
  return [...causes, invalidValue(field, shown, why)];
}

function validateLimit(limit: Json, at: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const { type } = limit;
  if (type === 'Pod') {
    for (const field of ['default', 'defaultRequest']) {
      if (limit[field] === undefined) continue;
      causes.push(forbidden(`${at}.${field}`, "may not be specified when `type` is 'Pod'"));
    }
  }
  causes.push(...limitType(`${at}.type`, String(type ?? '')));
  const [least, most] = [record(limit['min']), record(limit['max'])];
  if (type === 'PersistentVolumeClaim' && !least['storage'] && !most['storage']) {
    const why = 'either minimum or maximum storage value is required, but neither was provided';
    causes.push(requiredValue(`${at}.limits`, why));
  }
  const [usual, asked] = [record(limit['default']), record(limit['defaultRequest'])];
  const names = new Set(
    [least, most, usual, asked, record(limit['maxLimitRequestRatio'])].flatMap(Object.keys),
  );
  for (const name of names) {
    const order = (a: Json, b: Json, at2: string, shown: Json, words: string): void => {
      const [x, y] = [a[name], b[name]];
      if (x === undefined || y === undefined || compareQuantities(x, y) <= 0) return;
      const why = words.replace('%1', String(x)).replace('%2', String(y));
      causes.push(invalidValue(`${at}.${at2}[${name}]`, String(shown[name]), why));
    };
    order(least, most, 'min', least, 'min value %1 is greater than max value %2');
    const request = 'min value %1 is greater than default request value %2';
    order(least, asked, 'defaultRequest', asked, request);
    order(
      asked,
      most,
      'defaultRequest',
      asked,
      'default request value %1 is greater than max value %2',
    );
    order(
      asked,
      usual,
      'defaultRequest',
      asked,
      'default request value %1 is greater than default limit value %2',
    );
    order(least, usual, 'default', least, 'min value %1 is greater than default value %2');
    order(usual, most, 'default', most, 'default value %1 is greater than max value %2');
    causes.push(...ratioCauses(limit, name, at));
  }
  return causes;
}

export const validateLimitRange: Rule = (object) => {
  const types = new Set<unknown>();
  return list(record(object['spec'])['limits']).flatMap((limit, index) => {
    const at = `spec.limits[${index}]`;
    const isTwice = types.has(limit['type']);
    types.add(limit['type']);
    if (isTwice) return [duplicate(`${at}.type`, limit['type'])];
    return validateLimit(limit, at);
  });
};
