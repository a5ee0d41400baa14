// HorizontalPodAutoscalers are stored as autoscaling/v2; autoscaling/v1 has one metric in a field of its own
// and keeps the rest in annotations (conversion of kube-apiserver v1.37, pkg/apis/autoscaling/v1).
import type { KubeObject } from '#kube/meta/object.ts';
import type { ObjectCodec } from '#kube/meta/resource-info.ts';

type Json = Record<string, unknown>;

const CPU_PERCENT = 80;
const prefix = 'autoscaling.alpha.kubernetes.io/';
/** What v1 has no fields for. */
const [METRICS, CURRENT, CONDITIONS, BEHAVIOR] = [
  `${prefix}metrics`,
  `${prefix}current-metrics`,
  `${prefix}conditions`,
  `${prefix}behavior`,
];
const own = new Set([METRICS, CURRENT, CONDITIONS, BEHAVIOR]);

const list = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : []);
const record = (value: unknown): Json =>
  typeof value === 'object' && value !== null ? (value as Json) : {};

const defined = (object: Json): Json =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Json;

function parsed(text: unknown): unknown {
  try {
    return typeof text === 'string' ? (JSON.parse(text) as unknown) : undefined;
  } catch {
    return undefined;
  }
}

// ---- metrics: what is wanted (`target`), and what is (`current`) ----

const sources = ['object', 'pods', 'resource', 'containerResource', 'external'] as const;
type Which = 'target' | 'current';

function oldMetric(metric: Json, which: Which): Json {
  const out: Json = { type: metric['type'] };
  const prefixed = (name: string): string => which + name.charAt(0).toUpperCase() + name.slice(1);
  for (const source of sources) {
    if (metric[source] === undefined) continue;
    const { name, container, describedObject, metric: id, ...rest } = record(metric[source]);
    const { value, averageValue, averageUtilization } = record(rest[which]);
    const { name: metricName, selector } = record(id);
    if (source === 'resource' || source === 'containerResource') {
      out[source] = defined({
        name,
        [prefixed('averageUtilization')]: averageUtilization,
        [prefixed('averageValue')]: averageValue ?? (which === 'current' ? '0' : undefined),
        container,
      });
    } else if (source === 'object') {
      const values = { [prefixed('value')]: value ?? '0', selector, averageValue };
      out[source] = defined({ target: describedObject, metricName, ...values });
    } else if (source === 'pods') {
      const values = { [prefixed('averageValue')]: averageValue ?? '0', selector };
      out[source] = defined({ metricName, ...values });
    } else {
      const shown = which === 'current' ? (value ?? '0') : value;
      out[source] = defined({
        metricName,
        metricSelector: selector,
        [prefixed('value')]: shown,
        [prefixed('averageValue')]: averageValue,
      });
    }
  }
  return out;
}

function targetType(source: string, { value, averageUtilization, averageValue }: Json): string {
  if (source === 'resource' || source === 'containerResource') {
    return averageUtilization === undefined ? 'AverageValue' : 'Utilization';
  }
  if (source === 'object') return averageValue === undefined ? 'Value' : 'AverageValue';
  return source === 'pods' || value === undefined ? 'AverageValue' : 'Value';
}

function newMetric(metric: Json, which: Which): Json {
  const out: Json = { type: metric['type'] };
  const prefixed = (name: string): string => which + name.charAt(0).toUpperCase() + name.slice(1);
  for (const source of sources) {
    if (metric[source] === undefined) continue;
    const old = record(metric[source]);
    const average = source === 'object' ? 'averageValue' : prefixed('averageValue');
    const values = defined({
      value: old[prefixed('value')],
      averageValue: old[average],
      averageUtilization: old[prefixed('averageUtilization')],
    });
    if (source === 'object' && values['averageValue'] !== undefined && values['value'] === '0') {
      delete values['value'];
    }
    const type = which === 'target' ? { type: targetType(source, values) } : {};
    const part = { [which]: { ...type, ...values } };
    const selector = old['selector'] ?? old['metricSelector'];
    const id = { metric: defined({ name: old['metricName'], selector }) };
    if (source === 'resource' || source === 'containerResource') {
      out[source] = { ...defined({ name: old['name'], container: old['container'] }), ...part };
    } else if (source === 'object')
      out[source] = { describedObject: old['target'], ...part, ...id };
    else out[source] = { ...id, ...part };
  }
  return out;
}

/** With the names that Go has inside, in its order, which is how upstream writes this annotation. */
function shownBehavior({ scaleUp, scaleDown }: Json): Json {
  const rules = (given: unknown): Json | null => {
    if (given === undefined) return null;
    const { stabilizationWindowSeconds, selectPolicy, policies, tolerance } = record(given);
    const shown = list(policies).map(({ type, value, periodSeconds }) => ({
      Type: type,
      Value: value,
      PeriodSeconds: periodSeconds,
    }));
    return {
      StabilizationWindowSeconds: stabilizationWindowSeconds ?? null,
      SelectPolicy: selectPolicy ?? null,
      Policies: policies === undefined ? null : shown,
      Tolerance: tolerance ?? null,
    };
  };
  return { ScaleUp: rules(scaleUp), ScaleDown: rules(scaleDown) };
}

/** Names as the API has them. */
function renamed(value: unknown, change: (name: string) => string): unknown {
  if (Array.isArray(value)) return value.map((one) => renamed(one, change));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, one]) => one !== null);
  return Object.fromEntries(entries.map(([key, one]) => [change(key), renamed(one, change)]));
}
const lower = (name: string): string => name.charAt(0).toLowerCase() + name.slice(1);

const isCpu = ({ type, resource }: Json, which: Which): boolean => {
  const { name, ...rest } = record(resource);
  const isOne = type === 'Resource' && name === 'cpu';
  return isOne && record(rest[which])['averageUtilization'] !== undefined;
};
const utilization = (metric: Json, which: Which): unknown =>
  record(record(metric['resource'])[which])['averageUtilization'];

function cpuMetric(which: Which, percent: unknown): Json {
  const type = which === 'target' ? { type: 'Utilization' } : {};
  const part = { [which]: { ...type, averageUtilization: percent } };
  return { type: 'Resource', resource: { name: 'cpu', ...part } };
}

function withAnnotations(object: KubeObject, more: Json): KubeObject['metadata'] {
  const { annotations, ...metadata } = object.metadata;
  const kept = Object.entries(annotations ?? {}).filter(([key]) => !own.has(key));
  const all = { ...Object.fromEntries(kept), ...defined(more) };
  return Object.keys(all).length === 0
    ? metadata
    : { ...metadata, annotations: all as Record<string, string> };
}

function toOld(object: KubeObject): KubeObject {
  const { metrics, behavior, ...spec } = record(object['spec']);
  const { currentMetrics, conditions, ...status } = record(object['status']);
  const wanted = list(metrics);
  const others = wanted.filter((one) => !isCpu(one, 'target'));
  const [seen, told] = [list(currentMetrics), list(conditions)];
  const text = (values: readonly unknown[]): string | undefined =>
    values.length === 0 ? undefined : JSON.stringify(values);
  const cpu = wanted.find((one) => isCpu(one, 'target'));
  const used = seen.findLast((one) => isCpu(one, 'current'));
  const percent = cpu === undefined ? undefined : utilization(cpu, 'target');
  const currently = used === undefined ? undefined : utilization(used, 'current');
  return {
    ...object,
    apiVersion: 'autoscaling/v1',
    metadata: withAnnotations(object, {
      [METRICS]: text(others.map((one) => oldMetric(one, 'target'))),
      [CURRENT]: text(seen.map((one) => oldMetric(one, 'current'))),
      [BEHAVIOR]:
        behavior === undefined ? undefined : JSON.stringify(shownBehavior(record(behavior))),
      [CONDITIONS]: text(told),
    }),
    spec: defined({ ...spec, targetCPUUtilizationPercentage: percent }),
    status: defined({
      currentReplicas: 0,
      desiredReplicas: 0,
      ...status,
      currentCPUUtilizationPercentage: currently,
    }),
  };
}

function toNew(object: KubeObject): KubeObject {
  const { targetCPUUtilizationPercentage: percent, ...spec } = record(object['spec']);
  const { currentCPUUtilizationPercentage: used, ...status } = record(object['status']);
  const annotations = object.metadata.annotations ?? {};
  const from = (name: string): unknown => parsed(annotations[name]);
  const others = list(from(METRICS)).map((one) => newMetric(one, 'target'));
  const metrics = percent === undefined ? others : [...others, cpuMetric('target', percent)];
  const seen = from(CURRENT);
  const current = Array.isArray(seen)
    ? seen.map((one) => newMetric(one as Json, 'current'))
    : used === undefined
      ? null
      : [cpuMetric('current', used)];
  const behavior = renamed(from(BEHAVIOR), lower);
  const told = from(CONDITIONS);
  const { currentReplicas, ...rest } = status;
  return {
    ...object,
    apiVersion: 'autoscaling/v2',
    metadata: withAnnotations(object, {}),
    spec: defined({
      ...spec,
      metrics: metrics.length === 0 ? [cpuMetric('target', CPU_PERCENT)] : metrics,
      behavior: Object.keys(record(behavior)).length === 0 ? undefined : behavior,
    }),
    status: defined({
      desiredReplicas: 0,
      ...rest,
      currentReplicas: currentReplicas === 0 ? undefined : currentReplicas,
      currentMetrics: current,
      conditions: Array.isArray(told) ? told : undefined,
    }),
  };
}

const asNew = (stored: KubeObject): KubeObject =>
  stored.apiVersion === 'autoscaling/v1' ? toNew(stored) : stored;

function codec(read: (stored: KubeObject) => KubeObject): ObjectCodec {
  return {
    mayCall: false,
    needsCall: () => false,
    read,
    readAll: async (stored) => stored.map(read),
    write: async (object) => asNew(object),
  };
}

/** By version; the newer one still reads what was stored as it was sent. */
export const autoscalerCodecs: Readonly<Record<string, ObjectCodec>> = {
  v1: codec((stored) => toOld(asNew(stored))),
  v2: codec(asNew),
};
