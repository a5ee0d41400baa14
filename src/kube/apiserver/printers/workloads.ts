// Tables of workloads: apps, batch, autoscaling, policy.
import type { KubeObject } from '#kube/meta/object.ts';
import {
  ageColumn,
  boolean,
  columns,
  conditionStatus,
  containerCells,
  created,
  integer,
  labelsText,
  list,
  name,
  selectorText,
  wide,
  type Json,
  type Printer,
  type Printers,
} from './cells.ts';
import { age, column, humanDuration, type Column } from './columns.ts';

const workload = [wide('Containers'), wide('Images'), wide('Selector')];

function workloadCells(object: KubeObject): unknown[] {
  return [...containerCells(object['spec']?.template), selectorText(object['spec']?.selector)];
}

function jobStatus(job: KubeObject): string {
  const is = (type: string): boolean => conditionStatus(job, type) === 'True';
  if (is('Complete')) return 'Complete';
  if (is('Failed')) return 'Failed';
  if (job.metadata.deletionTimestamp !== undefined) return 'Terminating';
  const found = ['Suspended', 'FailureTarget', 'SuccessCriteriaMet'].find(is);
  return found ?? 'Running';
}

function jobDuration(job: KubeObject, now: number): string {
  const { startTime, completionTime } = job['status'] ?? {};
  if (startTime === undefined) return '';
  const end = completionTime === undefined ? now : Date.parse(completionTime);
  return humanDuration(end - Date.parse(startTime));
}

function jobCells(job: KubeObject, now: number): unknown[] {
  const { completions, parallelism = 0 } = job['spec'] ?? {};
  const wanted = completions ?? (parallelism > 1 ? `1 of ${parallelism}` : 1);
  return [
    name(job),
    jobStatus(job),
    `${job['status']?.succeeded ?? 0}/${wanted}`,
    jobDuration(job, now),
    created(job, now),
    ...workloadCells(job),
  ];
}

function cronJobCells(cronJob: KubeObject, now: number): unknown[] {
  const { schedule, timeZone, suspend, jobTemplate } = cronJob['spec'] ?? {};
  const last = cronJob['status']?.lastScheduleTime;
  return [
    name(cronJob),
    schedule,
    timeZone ?? '<none>',
    suspend === undefined ? '<unset>' : suspend === true ? 'True' : 'False',
    list(cronJob['status']?.active).length,
    last === undefined ? '<none>' : age(last, now),
    created(cronJob, now),
    ...containerCells(jobTemplate?.spec?.template),
    selectorText(jobTemplate?.spec?.selector),
  ];
}

function daemonSetCells(daemonSet: KubeObject, now: number): unknown[] {
  const status = daemonSet['status'] ?? {};
  return [
    name(daemonSet),
    status.desiredNumberScheduled ?? 0,
    status.currentNumberScheduled ?? 0,
    status.numberReady ?? 0,
    status.updatedNumberScheduled ?? 0,
    status.numberAvailable ?? 0,
    labelsText(daemonSet['spec']?.template?.spec?.nodeSelector),
    created(daemonSet, now),
    ...workloadCells(daemonSet),
  ];
}

function controllerOf(object: KubeObject): string {
  const owner = list(object.metadata.ownerReferences).find((one) => one['controller'] === true);
  if (owner === undefined) return '<none>';
  const [group] = String(owner['apiVersion']).includes('/')
    ? String(owner['apiVersion']).split('/')
    : [''];
  const kind = String(owner['kind']).toLowerCase() + (group === '' ? '' : `.${group}`);
  return `${kind}/${String(owner['name'])}`;
}

// ---- autoscaling

interface MetricPart {
  readonly name?: unknown;
  readonly metric?: { readonly name?: unknown };
  readonly target?: Json;
  readonly current?: Json;
}

const metricParts: Readonly<Record<string, string>> = {
  External: 'external',
  Pods: 'pods',
  Object: 'object',
  Resource: 'resource',
  ContainerResource: 'containerResource',
};

function metricText(spec: Json, status: Json | undefined): string {
  const part = metricParts[String(spec['type'])];
  if (part === undefined) return '<unknown type>';
  const { name: resource, target = {} } = (spec[part] ?? {}) as MetricPart;
  const { current } = (status?.[part] ?? {}) as MetricPart;
  const text = (value: unknown): string => (value === undefined ? '<unknown>' : String(value));
  if (part === 'resource' || part === 'containerResource') {
    if (target['averageValue'] !== undefined) {
      return `${String(resource)}: ${text(current?.['averageValue'])}/${String(target['averageValue'])}`;
    }
    const percent = (value: unknown, none: string): string =>
      value === undefined ? none : `${String(value)}%`;
    const used = percent(current?.['averageUtilization'], '<unknown>');
    return `${String(resource)}: ${used}/${percent(target['averageUtilization'], '<auto>')}`;
  }
  if (part === 'pods') {
    return `${text(current?.['averageValue'])}/${String(target['averageValue'])}`;
  }
  return target['averageValue'] === undefined
    ? `${text(current?.['value'])}/${String(target['value'])}`
    : `${text(current?.['averageValue'])}/${String(target['averageValue'])} (avg)`;
}

/** What autoscaling/v1 says in fields of its own, as the metrics of v2. */
function metricsOf(scaler: KubeObject): { specs: Json[]; statuses: Json[] } {
  const { metrics, targetCPUUtilizationPercentage: wanted } = scaler['spec'] ?? {};
  const { currentMetrics, currentCPUUtilizationPercentage: used } = scaler['status'] ?? {};
  if (wanted === undefined) return { specs: list(metrics), statuses: list(currentMetrics) };
  const cpu = (more: Json): Json => ({ type: 'Resource', resource: { name: 'cpu', ...more } });
  return {
    specs: [cpu({ target: { averageUtilization: wanted } }), ...list(metrics)],
    statuses: used === undefined ? [] : [cpu({ current: { averageUtilization: used } })],
  };
}

function scalerCells(scaler: KubeObject, now: number): unknown[] {
  const { scaleTargetRef, minReplicas, maxReplicas } = scaler['spec'] ?? {};
  const { specs, statuses } = metricsOf(scaler);
  const texts = specs.map((spec, index) => metricText(spec, statuses[index]));
  const more = texts.length > 2 ? ` + ${texts.length - 2} more...` : '';
  return [
    name(scaler),
    `${String(scaleTargetRef?.kind)}/${String(scaleTargetRef?.name)}`,
    texts.length === 0 ? '<none>' : texts.slice(0, 2).join(', ') + more,
    minReplicas === undefined ? '<unset>' : String(minReplicas),
    maxReplicas ?? 0,
    scaler['status']?.currentReplicas ?? 0,
    created(scaler, now),
  ];
}

function scalePrinter(nameOf: Column, ageOf: Column): Printer {
  return {
    columns: [nameOf, integer('Desired'), integer('Available'), ageOf],
    cells: (one, now) => [
      name(one),
      one['spec']?.replicas ?? 0,
      one['status']?.replicas ?? 0,
      created(one, now),
    ],
  };
}

export const workloadPrinters: Printers = {
  'apps/deployments': {
    columns: [...columns('Ready', 'Up-to-date', 'Available'), ...workload],
    cells: (one, now) => {
      const status = one['status'] ?? {};
      return [
        name(one),
        `${status.readyReplicas ?? 0}/${one['spec']?.replicas ?? 0}`,
        status.updatedReplicas ?? 0,
        status.availableReplicas ?? 0,
        created(one, now),
        ...workloadCells(one),
      ];
    },
  },
  'apps/replicasets': {
    columns: [...columns(integer('Desired'), integer('Current'), integer('Ready')), ...workload],
    cells: (one, now) => [
      name(one),
      one['spec']?.replicas ?? 0,
      one['status']?.replicas ?? 0,
      one['status']?.readyReplicas ?? 0,
      created(one, now),
      ...workloadCells(one),
    ],
  },
  'apps/daemonsets': {
    columns: [
      ...columns(
        integer('Desired'),
        integer('Current'),
        integer('Ready'),
        integer('Up-to-date'),
        integer('Available'),
        'Node Selector',
      ),
      ...workload,
    ],
    cells: daemonSetCells,
  },
  'apps/statefulsets': {
    columns: [...columns('Ready'), ...workload.slice(0, 2)],
    cells: (one, now) => [
      name(one),
      `${one['status']?.readyReplicas ?? 0}/${one['spec']?.replicas ?? 0}`,
      created(one, now),
      ...containerCells(one['spec']?.template),
    ],
  },
  'apps/controllerrevisions': {
    columns: columns('Controller', 'Revision'),
    cells: (one, now) => [name(one), controllerOf(one), one['revision'] ?? 0, created(one, now)],
  },
  'batch/jobs': {
    columns: [...columns('Status', 'Completions', 'Duration'), ...workload],
    cells: jobCells,
  },
  'batch/cronjobs': {
    columns: [
      ...columns('Schedule', 'Timezone', boolean('Suspend'), integer('Active'), 'Last Schedule'),
      ...workload,
    ],
    cells: cronJobCells,
  },
  'autoscaling/horizontalpodautoscalers': {
    columns: columns('Reference', 'Targets', 'MinPods', 'MaxPods', 'Replicas'),
    cells: scalerCells,
  },
  // Upstream gives the name no format, of built-in objects, and the age none of custom ones.
  'autoscaling/scales': scalePrinter({ ...column('Name'), format: '' }, ageColumn),
  'autoscaling/customscales': scalePrinter(column('Name'), column('Age', 'date')),
  'policy/poddisruptionbudgets': {
    columns: columns('Min Available', 'Max Unavailable', integer('Allowed Disruptions')),
    cells: (one, now) => [
      name(one),
      String(one['spec']?.minAvailable ?? 'N/A'),
      String(one['spec']?.maxUnavailable ?? 'N/A'),
      one['status']?.disruptionsAllowed ?? 0,
      created(one, now),
    ],
  },
};
