// Validates the kinds that carry a pod template, as kube-apiserver v1.37 does.
import {
  atMostAllOfIt,
  countOrPercent,
  isObject,
  labelSelector,
  list,
  named,
  notNegative,
  oneOf,
  record,
  selectorShown,
  type Json,
} from './field-rules.ts';
import {
  forbidden,
  invalidValue,
  nameProblem,
  requiredValue,
  unsupported,
  validateAnnotations,
  validateLabels,
} from './names.ts';
import type { KubeObject } from './object.ts';
import { labelSelectorFromObject, matchesLabels } from './selectors.ts';
import { validateAutoscaler } from './validation-autoscalers.ts';
import type { StatusCause } from './status.ts';
import { validateClaimSpec } from './validation-claims.ts';
import { scheduleProblem } from './cron-schedule.ts';
import { jobPolicies } from './validation-job-policies.ts';
import { validatePodSpec } from './validation-pods.ts';

type Rule = (object: KubeObject, old?: KubeObject) => StatusCause[];
type Labels = Record<string, string> | undefined;

const MISMATCH = '`selector` does not match template `labels`';

function templateLabels(template: unknown): Labels {
  return record(record(template)['metadata'])['labels'] as Labels;
}

export function validateTemplate(template: unknown, field: string): StatusCause[] {
  const { metadata, spec } = record(template);
  const meta = record(metadata);
  return [
    ...validateLabels(meta['labels'] as Labels, `${field}.labels`),
    ...validateAnnotations(meta['annotations'] as Labels, `${field}.annotations`),
    ...validatePodSpec(spec, `${field}.spec`),
  ];
}

/** A selector that can be understood and is about the template's own pods. */
function validateSelector(spec: Json, kind: string): StatusCause[] {
  const { selector } = spec;
  const wrong = labelSelector(selector, 'spec.selector');
  const isMissing = selector === undefined;
  const isEmpty =
    !isMissing &&
    Object.values(record(selector)).every((one) => Object.keys(record(one)).length === 0) &&
    list(record(selector)['matchExpressions']).length === 0;
  if (isMissing && kind !== 'daemonset') wrong.push(requiredValue('spec.selector'));
  if (isEmpty) {
    const why = `empty selector is invalid for ${kind}`;
    wrong.push(invalidValue('spec.selector', selector, why));
  }
  if (wrong.length > 0 && !isMissing && !isEmpty) {
    if (kind === 'daemonset') return wrong;
    const shown = selectorShown(selector);
    const why = kind === 'statefulset' ? '' : 'invalid label selector';
    const cause = invalidValue('spec.selector', shown, why);
    const message = why === '' ? cause.message.replace(/: $/, '') : cause.message;
    return [...wrong, { ...cause, message }];
  }
  return wrong;
}

interface TemplateRule {
  readonly kind: string;
  readonly owner: string;
  readonly isEarly?: boolean;
}

function validateTemplated(spec: Json, { kind, owner }: TemplateRule): StatusCause[] {
  const causes = validateSelector(spec, kind);
  const { template } = spec;
  const labels = templateLabels(template);
  const parsed = causes.some(({ field }) => field?.startsWith('spec.selector.') === true)
    ? undefined
    : labelSelectorFromObject(spec['selector'] as never);
  const isNothing = spec['selector'] === undefined;
  const isEmpty = causes.some(({ message }) => message.includes('empty selector'));
  if (isNothing || (parsed !== undefined && !isEmpty && !matchesLabels(parsed, labels))) {
    causes.push(invalidValue('spec.template.metadata.labels', labels ?? null, MISMATCH));
  }
  causes.push(...validateTemplate(template, 'spec.template'));
  const pod = record(record(template)['spec']);
  const policy = pod['restartPolicy'];
  if (policy === 'OnFailure' || policy === 'Never') {
    causes.push(unsupported('spec.template.spec.restartPolicy', policy, ['Always']));
  }
  if (pod['activeDeadlineSeconds'] !== undefined) {
    const why = `activeDeadlineSeconds in ${owner} is not Supported`;
    causes.push(forbidden('spec.template.spec.activeDeadlineSeconds', why));
  }
  return causes;
}

/** As Go names them. */
function rollingParts(rolling: unknown): Json | null {
  if (rolling === undefined) return null;
  const parts = Object.entries(record(rolling)).map(([key, value]) => [
    `${key.charAt(0).toUpperCase()}${key.slice(1)}`,
    value,
  ]);
  return Object.fromEntries(parts) as Json;
}

const rollingShown = (strategy: Json): Json => ({
  Type: strategy['type'],
  RollingUpdate: rollingParts(strategy['rollingUpdate']),
});

/** What is neither a number nor a percentage counts as none. */
const isNone = (value: unknown): boolean =>
  typeof value === 'number'
    ? value === 0
    : !/^[0-9]+%$/.test(String(value)) || Number.parseInt(String(value), 10) === 0;

function validateStrategy(strategy: Json): StatusCause[] {
  const at = 'spec.strategy.rollingUpdate';
  const { type, rollingUpdate } = strategy;
  if (type === 'Recreate') {
    const why = "may not be specified when strategy `type` is 'Recreate'";
    return rollingUpdate === undefined ? [] : [forbidden(at, why)];
  }
  if (type !== 'RollingUpdate') {
    const cause = unsupported('spec.strategy', rollingShown(strategy), [
      'Recreate',
      type as string,
    ]);
    const words = '"Recreate", "RollingUpdate"';
    return [{ ...cause, message: cause.message.replace(/values: .*$/, `values: ${words}`) }];
  }
  const { maxUnavailable, maxSurge } = record(rollingUpdate);
  const causes = [
    ...countOrPercent(`${at}.maxUnavailable`, maxUnavailable),
    ...countOrPercent(`${at}.maxSurge`, maxSurge),
  ];
  if (isNone(maxUnavailable) && isNone(maxSurge)) {
    const why = 'may not be 0 when `maxSurge` is 0';
    causes.push(invalidValue(`${at}.maxUnavailable`, maxUnavailable, why));
  }
  return [...causes, ...atMostAllOfIt(`${at}.maxUnavailable`, maxUnavailable)];
}

const validateDeployment: Rule = (object) => {
  const spec = record(object['spec']);
  const { progressDeadlineSeconds: deadline, minReadySeconds: ready = 0 } = spec;
  const causes = [
    ...notNegative('spec.replicas', spec['replicas']),
    ...validateTemplated(spec, { kind: 'deployment', owner: 'ReplicaSet' }),
    ...validateStrategy(record(spec['strategy'])),
    ...notNegative('spec.minReadySeconds', spec['minReadySeconds']),
    ...notNegative('spec.revisionHistoryLimit', spec['revisionHistoryLimit']),
    ...notNegative('spec.progressDeadlineSeconds', deadline),
  ];
  if (typeof deadline === 'number' && deadline <= Number(ready)) {
    const why = 'must be greater than minReadySeconds';
    causes.push(invalidValue('spec.progressDeadlineSeconds', deadline, why));
  }
  return causes;
};

const validateReplicaSet: Rule = (object) => {
  const spec = record(object['spec']);
  return [
    ...notNegative('spec.replicas', spec['replicas']),
    ...notNegative('spec.minReadySeconds', spec['minReadySeconds']),
    ...validateTemplated(spec, { kind: 'deployment', owner: 'ReplicaSet' }),
  ];
};

const validateDaemonSet: Rule = (object) => {
  const spec = record(object['spec']);
  const at = 'spec.updateStrategy';
  const strategy = record(spec['updateStrategy']);
  const { maxUnavailable, maxSurge } = record(strategy['rollingUpdate']);
  const causes = [
    ...validateTemplated(spec, { kind: 'daemonset', owner: 'DaemonSet' }),
    ...notNegative('spec.minReadySeconds', spec['minReadySeconds']),
  ];
  if (strategy['type'] === 'RollingUpdate') {
    const field = `${at}.rollingUpdate`;
    causes.push(
      ...countOrPercent(`${field}.maxUnavailable`, maxUnavailable),
      ...atMostAllOfIt(`${field}.maxUnavailable`, maxUnavailable),
      ...countOrPercent(`${field}.maxSurge`, maxSurge),
      ...atMostAllOfIt(`${field}.maxSurge`, maxSurge),
    );
    if (isNone(maxUnavailable) && isNone(maxSurge)) {
      causes.push(requiredValue(`${field}.maxUnavailable`, 'cannot be 0 when maxSurge is 0'));
    } else if (!isNone(maxUnavailable) && !isNone(maxSurge)) {
      const why = 'may not be set when maxUnavailable is non-zero';
      causes.push(invalidValue(`${field}.maxSurge`, maxSurge, why));
    }
  } else if (strategy['type'] !== 'OnDelete') {
    causes.push(unsupported(at, rollingShown(strategy), ['RollingUpdate', 'OnDelete']));
  }
  return [...causes, ...notNegative('spec.revisionHistoryLimit', spec['revisionHistoryLimit'])];
};

function statefulSetStrategy(given: unknown, at: string): StatusCause[] {
  const strategy = record(given);
  const { type, rollingUpdate } = strategy;
  const field = `${at}.rollingUpdate`;
  if (type === 'OnDelete') {
    if (rollingUpdate === undefined) return [];
    const { partition = 0, maxUnavailable = null } = record(rollingUpdate);
    const shown = { Partition: partition, MaxUnavailable: maxUnavailable };
    return [invalidValue(field, shown, "only allowed for updateStrategy 'RollingUpdate'")];
  }
  if (type !== 'RollingUpdate') {
    const why = "must be 'RollingUpdate' or 'OnDelete'";
    return [invalidValue(at, rollingShown(strategy), why)];
  }
  const { partition, maxUnavailable: most } = record(rollingUpdate);
  const where = `${field}.maxUnavailable`;
  const causes = [...notNegative(`${field}.partition`, partition), ...countOrPercent(where, most)];
  if (most === undefined) return causes;
  // What is no number counts as none.
  const count = typeof most === 'number' ? most : Number.parseInt(String(most), 10) || 0;
  if (count === 0) causes.push(invalidValue(where, most, 'cannot be 0'));
  return [...causes, ...atMostAllOfIt(where, most)];
}

/** With the volumes that the claims become, and without what the controller sets in each pod. */
function podTemplateOf(spec: Json): unknown {
  const { template, volumeClaimTemplates } = spec;
  const claims = list(volumeClaimTemplates);
  if (!isObject(template)) return template;
  const { subdomain: _subdomain, hostname: _hostname, ...pod } = record(template['spec']);
  if (claims.length === 0) return { ...template, spec: pod };
  const names = claims.map((one): unknown => record(one['metadata'])['name'] ?? '');
  const added = [...new Set(names)].map((name) => ({
    name,
    persistentVolumeClaim: { claimName: name },
  }));
  const others = list(pod['volumes']).filter(({ name }) => !names.includes(name));
  return { ...template, spec: { ...pod, volumes: [...added, ...others] } };
}

const validateStatefulSet: Rule = (object, old) => {
  const spec = record(object['spec']);
  const causes: StatusCause[] = [];
  const { podManagementPolicy: management = '', serviceName } = spec;
  if (management === '') causes.push(requiredValue('spec.podManagementPolicy'));
  else if (management !== 'OrderedReady' && management !== 'Parallel') {
    const why = "must be 'OrderedReady' or 'Parallel'";
    causes.push(invalidValue('spec.podManagementPolicy', management, why));
  }
  causes.push(...statefulSetStrategy(spec['updateStrategy'], 'spec.updateStrategy'));
  const retention = record(spec['persistentVolumeClaimRetentionPolicy']);
  for (const when of ['whenDeleted', 'whenScaled']) {
    const field = `spec.persistentVolumeClaimRetentionPolicy.${when}`;
    causes.push(...oneOf(field, retention[when], ['Retain', 'Delete']));
  }
  const claims = old === undefined ? list(spec['volumeClaimTemplates']) : [];
  const hadName = record(old?.['spec'] as unknown)['serviceName'];
  const isNameKept = old !== undefined && nameProblem('label', String(hadName)) !== undefined;
  return [
    ...causes,
    ...claims.flatMap((claim, index) =>
      validateClaimSpec(claim['spec'], `spec.volumeClaimTemplates[${index}].spec`),
    ),
    ...notNegative('spec.replicas', spec['replicas']),
    ...notNegative('spec.minReadySeconds', spec['minReadySeconds']),
    ...notNegative('spec.ordinals.start', record(spec['ordinals'])['start']),
    ...(isNameKept ? [] : named('spec.serviceName', serviceName || undefined, 'label')),
    ...validateTemplated(
      { ...spec, template: podTemplateOf(spec) },
      { kind: 'statefulset', owner: 'StatefulSet' },
    ),
  ];
};

const validateReplicationController: Rule = (object) => {
  const spec = record(object['spec']);
  const selector = spec['selector'] as Labels;
  const causes = [
    ...notNegative('spec.replicas', spec['replicas']),
    ...notNegative('spec.minReadySeconds', spec['minReadySeconds']),
  ];
  if (Object.keys(record(selector)).length === 0) causes.push(requiredValue('spec.selector'));
  if (!isObject(spec['template'])) return [...causes, requiredValue('spec.template')];
  const labels = templateLabels(spec['template']);
  const parsed = labelSelectorFromObject({ matchLabels: selector ?? {} });
  if (parsed !== undefined && !matchesLabels(parsed, labels)) {
    causes.push(invalidValue('spec.template.metadata.labels', labels ?? null, MISMATCH));
  }
  return [...causes, ...validateTemplate(spec['template'], 'spec.template')];
};

function validateJobSpec(spec: Json, at: string): StatusCause[] {
  const causes = [
    'parallelism',
    'completions',
    'activeDeadlineSeconds',
    'backoffLimit',
    'ttlSecondsAfterFinished',
    'backoffLimitPerIndex',
    'maxFailedIndexes',
  ].flatMap((name) => notNegative(`${at}.${name}`, spec[name]));
  const { completionMode, managedBy } = spec;
  if (managedBy === '') causes.push(requiredValue(`${at}.managedBy`));
  else if (managedBy !== undefined) causes.push(...managerName(`${at}.managedBy`, managedBy));
  causes.push(...oneOf(`${at}.completionMode`, completionMode, ['NonIndexed', 'Indexed']));
  causes.push(...validateTemplate(spec['template'], `${at}.template`), ...jobPolicies(spec, at));
  return causes;
}

const MANAGER_LENGTH_MAX = 63;

function managerName(field: string, value: unknown): StatusCause[] {
  const message = `Too long: may not be more than ${MANAGER_LENGTH_MAX} bytes`;
  const isLong = String(value).length > MANAGER_LENGTH_MAX;
  const tooLong = { reason: 'FieldValueTooLong', message, field };
  return [...domainPath(field, value), ...(isLong ? [tooLong] : [])];
}

export function domainPath(field: string, value: unknown): StatusCause[] {
  const [domain = '', ...rest] = String(value).split('/');
  if (domain !== '' && rest.join('/') !== '') return named(field, domain, 'subdomain');
  const why = 'must be a domain-prefixed path (such as "acme.io/foo")';
  return [invalidValue(field, value, why)];
}

const validateJob: Rule = (object, old) => {
  const spec = record(object['spec']);
  const causes: StatusCause[] = [];
  const { selector } = spec;
  const uid = object.metadata.uid ?? '';
  const labels = record(record(selector)['matchLabels']);
  const isGenerated = labels['batch.kubernetes.io/controller-uid'] === uid;
  if (selector === undefined) causes.push(requiredValue('spec.selector'));
  else if (
    old === undefined &&
    spec['manualSelector'] !== true &&
    (!isGenerated || Object.keys(labels).length > 1)
  ) {
    causes.push(invalidValue('spec.selector', selector, '`selector` not auto-generated'));
  }
  const wrong = labelSelector(selector, 'spec.selector');
  causes.push(...wrong);
  const template = templateLabels(spec['template']);
  const parsed = labelSelectorFromObject(selector as never);
  if (wrong.length === 0 && (parsed === undefined || !matchesLabels(parsed, template))) {
    causes.push(invalidValue('spec.template.metadata.labels', template ?? null, MISMATCH));
  }
  return [...causes, ...validateJobSpec(spec, 'spec'), ...podNames(object)];
};

/** Pods of indexed jobs are called after their number, and their hosts after them. */
function podNames({ metadata, spec }: KubeObject): StatusCause[] {
  const { completionMode, completions } = record(spec);
  const count = Number(completions ?? 0);
  const { name = '' } = metadata;
  const last = `${name}-${count - 1}`;
  if (completionMode !== 'Indexed' || count <= 0 || nameProblem('label', last) === undefined)
    return [];
  const why = `will not able to create pod with invalid DNS label: ${last}`;
  return [invalidValue('metadata.name', name, why)];
}

const CRON_NAME_LENGTH_MAX = 52;

function validateSchedule(schedule: string): StatusCause[] {
  const field = 'spec.schedule';
  if (schedule === '') return [requiredValue(field)];
  if (schedule.includes('TZ')) {
    const why = 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead';
    return [invalidValue(field, schedule, why)];
  }
  const why = scheduleProblem(schedule);
  return why === undefined ? [] : [invalidValue(field, schedule, why)];
}

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

const validateCronJob: Rule = (object) => {
  const spec = record(object['spec']);
  const { timeZone } = spec;
  const { name = '' } = object.metadata;
  const causes = validateSchedule(String(spec['schedule'] ?? ''));
  causes.push(...notNegative('spec.startingDeadlineSeconds', spec['startingDeadlineSeconds']));
  if (typeof timeZone === 'string' && !isTimeZone(timeZone)) {
    const why =
      timeZone === ''
        ? 'timeZone must be nil or non-empty string'
        : `unknown time zone ${timeZone}`;
    causes.push(invalidValue('spec.timeZone', timeZone, why));
  }
  const policies = ['Allow', 'Forbid', 'Replace'];
  causes.push(
    ...oneOf('spec.concurrencyPolicy', spec['concurrencyPolicy'], policies),
    ...validateJobSpec(record(record(spec['jobTemplate'])['spec']), 'spec.jobTemplate.spec'),
    ...notNegative('spec.successfulJobsHistoryLimit', spec['successfulJobsHistoryLimit']),
    ...notNegative('spec.failedJobsHistoryLimit', spec['failedJobsHistoryLimit']),
  );
  if (name.length > CRON_NAME_LENGTH_MAX) {
    causes.push(invalidValue('metadata.name', name, 'must be no more than 52 characters'));
  }
  return causes;
};

export const workloadRules: Readonly<Record<string, Rule>> = {
  'apps/Deployment': validateDeployment,
  'apps/ReplicaSet': validateReplicaSet,
  'apps/DaemonSet': validateDaemonSet,
  'apps/StatefulSet': validateStatefulSet,
  '/ReplicationController': validateReplicationController,
  'batch/Job': validateJob,
  'batch/CronJob': validateCronJob,
  'autoscaling/HorizontalPodAutoscaler': validateAutoscaler,
};
