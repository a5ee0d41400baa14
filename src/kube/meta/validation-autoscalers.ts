// Validates autoscalers as kube-apiserver v1.37 does: whom they scale, by which measures, and how fast.
import {
  isObject,
  list,
  named,
  needed,
  oneOf,
  quantityNotNegative,
  record,
  type Json,
} from './field-rules.ts';
import { forbidden, invalidValue, requiredValue, unsupported } from './names.ts';
import type { KubeObject } from './object.ts';
import { compareQuantities } from './quantity.ts';
import type { StatusCause } from './status.ts';
import { containerResourceName } from './validation-containers.ts';

const PERIOD_SECONDS_MAX = 1_800;
const STABILIZATION_SECONDS_MAX = 3_600;

/** Names are parts of paths. */
function pathName(field: string, name: unknown): StatusCause[] {
  return name ? named(field, name, 'path-segment') : [requiredValue(field)];
}

/** Which versions a reference may have: any at all, one of any group, or none of the core. */
type Versions = 'any' | 'of any group' | 'of a group';

function versionCauses(apiVersion: unknown, at: string, versions: Versions): StatusCause[] {
  if (versions === 'any') return [];
  const parts = String(apiVersion).split('/');
  if (parts.length > 2) {
    return [invalidValue(at, apiVersion, `unexpected GroupVersion string: ${String(apiVersion)}`)];
  }
  const hasGroup = parts.length === 2 && parts[0] !== '';
  if (versions === 'of any group' || hasGroup) return [];
  return [invalidValue(at, apiVersion, 'apiVersion must specify API group')];
}

function reference(given: unknown, field: string, versions: Versions): StatusCause[] {
  const { kind, name, apiVersion = '' } = record(given);
  return [
    ...pathName(`${field}.kind`, kind),
    ...pathName(`${field}.name`, name),
    ...versionCauses(apiVersion, `${field}.apiVersion`, versions),
  ];
}

/** What was wrong before may stay; of the core there is one kind that is scaled. */
function targetVersions(next: Json, old: Json | undefined): Versions {
  const isKept = old?.['apiVersion'] === next['apiVersion'] && old?.['kind'] === next['kind'];
  if (old !== undefined && isKept) return 'any';
  return next['kind'] === 'ReplicationController' ? 'of any group' : 'of a group';
}

function metricVersions(old: KubeObject | undefined): Versions {
  const isWrong = list(record(old?.['spec'])['metrics']).some(({ type, object }) => {
    const { apiVersion = '' } = record(record(object)['describedObject']);
    return type === 'Object' && versionCauses(apiVersion, '', 'of any group').length > 0;
  });
  return isWrong ? 'any' : 'of any group';
}

function identifier(given: unknown, field: string): StatusCause[] {
  const { name } = record(given);
  return name
    ? pathName(`${field}.name`, name)
    : [requiredValue(`${field}.name`, 'must specify a metric name')];
}

function target(given: unknown, field: string): StatusCause[] {
  const { type = '', value, averageValue, averageUtilization } = record(given);
  const causes = needed(`${field}.type`, type, 'must specify a metric target type');
  if (!['Utilization', 'Value', 'AverageValue'].includes(String(type))) {
    const why = 'must be either Utilization, Value, or AverageValue';
    causes.push(invalidValue(`${field}.type`, type, why));
  }
  for (const [name, amount] of Object.entries({ value, averageValue })) {
    if (amount === undefined || compareQuantities(amount, '0') > 0) continue;
    causes.push(invalidValue(`${field}.${name}`, String(amount), 'must be positive'));
  }
  if (typeof averageUtilization === 'number' && averageUtilization < 1) {
    const at = `${field}.averageUtilization`;
    causes.push(invalidValue(at, averageUtilization, 'must be greater than 0'));
  }
  return causes;
}

/** Of a resource: as a share of what is asked for, or as an amount. */
function utilization(given: unknown, field: string): StatusCause[] {
  const { averageValue, averageUtilization } = record(given);
  const causes = target(given, field);
  if (averageValue === undefined && averageUtilization === undefined) {
    const why = 'must set either a target raw value or a target utilization';
    causes.push(requiredValue(`${field}.averageUtilization`, why));
  }
  if (averageValue !== undefined && averageUtilization !== undefined) {
    const why = 'may not set both a target raw value and a target utilization';
    causes.push(forbidden(`${field}.averageValue`, why));
  }
  return causes;
}

const resourceNamed = (source: Json, field: string): StatusCause[] =>
  source['name'] ? [] : [requiredValue(`${field}.name`, 'must specify a resource name')];

function amounts(given: unknown, field: string, why: string): StatusCause[] {
  const { value, averageValue } = record(given);
  const isSet = value !== undefined || averageValue !== undefined;
  return [...target(given, field), ...(isSet ? [] : [requiredValue(`${field}.averageValue`, why)])];
}

type Rule = (source: Json, field: string, versions: Versions) => StatusCause[];

/** In the order in which they are looked at; only the first that is there is. */
const sources: Readonly<Record<string, Rule>> = {
  object: (source, field, versions) => [
    ...reference(source['describedObject'], `${field}.describedObject`, versions),
    ...identifier(source['metric'], `${field}.metric`),
    ...amounts(
      source['target'],
      `${field}.target`,
      'must set either a target value or averageValue',
    ),
  ],
  external: (source, field) => {
    const at = `${field}.target`;
    const { value, averageValue } = record(source['target']);
    const isBoth = value !== undefined && averageValue !== undefined;
    const why = 'may not set both a target value for metric and a per-pod target';
    return [
      ...identifier(source['metric'], `${field}.metric`),
      ...amounts(
        source['target'],
        at,
        'must set either a target value for metric or a per-pod target',
      ),
      ...(isBoth ? [forbidden(`${at}.value`, why)] : []),
    ];
  },
  pods: (source, field) => {
    const at = `${field}.target`;
    const isThere = record(source['target'])['averageValue'] !== undefined;
    const why = 'must specify a positive target averageValue';
    return [
      ...identifier(source['metric'], `${field}.metric`),
      ...target(source['target'], at),
      ...(isThere ? [] : [requiredValue(`${at}.averageValue`, why)]),
    ];
  },
  resource: (source, field) => [
    ...resourceNamed(source, field),
    ...utilization(source['target'], `${field}.target`),
  ],
  containerResource: (source, field) => {
    const { name, container } = source;
    return [
      ...resourceNamed(source, field),
      ...(name ? containerResourceName(`${field}.name`, String(name)) : []),
      ...(container
        ? named(`${field}.container`, container, 'label')
        : [requiredValue(`${field}.container`, 'must specify a container')]),
      ...utilization(source['target'], `${field}.target`),
    ];
  },
};

const types = ['ContainerResource', 'External', 'Object', 'Pods', 'Resource'];

function metricCauses(metric: Json, field: string, versions: Versions): StatusCause[] {
  const type = String(metric['type'] ?? '');
  const causes = needed(`${field}.type`, type, 'must specify a metric source type');
  const isKnown = types.includes(type);
  // Twice, as upstream says it; the same is told once.
  if (!isKnown) causes.push(unsupported(`${field}.type`, type, types));
  const present = Object.keys(sources).filter((name) => metric[name] !== undefined);
  const [first] = present;
  if (first !== undefined) {
    causes.push(...(sources[first]?.(record(metric[first]), `${field}.${first}`, versions) ?? []));
  }
  const wanted = type.charAt(0).toLowerCase() + type.slice(1);
  if (isKnown && metric[wanted] === undefined) {
    const why = 'must populate information for the given metric source';
    causes.push(requiredValue(`${field}.${wanted}`, why));
  }
  if (present.length === 1) return causes;
  const others = present.filter((name) => name !== wanted);
  const why = 'must populate the given metric source only';
  return [...causes, ...others.map((name) => forbidden(`${field}.${name}`, why))];
}

function policyCauses(policy: Json, field: string): StatusCause[] {
  const { type = '', value = 0, periodSeconds = 0 } = policy;
  const causes = oneOf(`${field}.type`, type, ['Percent', 'Pods']);
  for (const [name, amount] of Object.entries({ value, periodSeconds })) {
    if (Number(amount) > 0) continue;
    causes.push(invalidValue(`${field}.${name}`, amount, 'must be greater than zero'));
  }
  if (Number(periodSeconds) > PERIOD_SECONDS_MAX) {
    const why = `must be less than or equal to ${PERIOD_SECONDS_MAX}`;
    causes.push(invalidValue(`${field}.periodSeconds`, periodSeconds, why));
  }
  return causes;
}

function rulesCauses(given: unknown, field: string): StatusCause[] {
  if (!isObject(given)) return [];
  const { stabilizationWindowSeconds: window, selectPolicy, policies, tolerance } = given;
  const causes: StatusCause[] = [];
  const at = `${field}.stabilizationWindowSeconds`;
  if (Number(window ?? 0) < 0) {
    causes.push(invalidValue(at, window, 'must be greater than or equal to zero'));
  } else if (Number(window ?? 0) > STABILIZATION_SECONDS_MAX) {
    const why = `must be less than or equal to ${STABILIZATION_SECONDS_MAX}`;
    causes.push(invalidValue(at, window, why));
  }
  causes.push(...oneOf(`${field}.selectPolicy`, selectPolicy, ['Disabled', 'Max', 'Min']));
  const all = list(policies);
  if (all.length === 0) {
    causes.push(requiredValue(`${field}.policies`, 'must specify at least one Policy'));
  }
  all.forEach((one, i) => causes.push(...policyCauses(one, `${field}.policies[${i}]`)));
  if (tolerance !== undefined) causes.push(...quantityNotNegative(`${field}.tolerance`, tolerance));
  return causes;
}

export function validateAutoscaler(object: KubeObject, old?: KubeObject): StatusCause[] {
  const spec = record(object['spec']);
  const { minReplicas, maxReplicas = 0, behavior } = spec;
  // The one metric that autoscaling/v1 has a field for is named as in autoscaling/v2.
  const { targetCPUUtilizationPercentage: percent } = spec;
  const cpu = {
    type: 'Resource',
    resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: percent } },
  };
  const metrics: Json[] = percent === undefined ? list(spec['metrics']) : [cpu];
  const causes: StatusCause[] = [];
  const fail = (field: string, value: unknown, why: string): void =>
    void causes.push(invalidValue(`spec.${field}`, value, why));
  const min = typeof minReplicas === 'number' ? minReplicas : undefined;
  if (min !== undefined && min < 0) fail('minReplicas', min, 'must be greater than or equal to 0');
  if (maxReplicas === 0) causes.push(requiredValue('spec.maxReplicas'));
  else if (Number(maxReplicas) < 0) {
    fail('maxReplicas', maxReplicas, 'must be greater than or equal to 1');
  }
  if (min !== undefined && Number(maxReplicas) < min) {
    fail('maxReplicas', maxReplicas, 'must be greater than or equal to `minReplicas`');
  }
  const scaled = record(spec['scaleTargetRef']);
  const before = old === undefined ? undefined : record(record(old['spec'])['scaleTargetRef']);
  causes.push(...reference(scaled, 'spec.scaleTargetRef', targetVersions(scaled, before)));
  const versions = metricVersions(old);
  metrics.forEach((one, i) => causes.push(...metricCauses(one, `spec.metrics[${i}]`, versions)));
  const scalesFromZero = metrics.some(({ type }) => type === 'Object' || type === 'External');
  if (min === 0 && !scalesFromZero) {
    const why =
      'must specify at least one Object or External metric to support scaling to zero replicas';
    causes.push(forbidden('spec.metrics', why));
  }
  for (const which of ['scaleUp', 'scaleDown']) {
    causes.push(...rulesCauses(record(behavior)[which], `spec.behavior.${which}`));
  }
  return causes;
}
