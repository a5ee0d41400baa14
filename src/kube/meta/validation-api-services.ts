// Validates API services, as kube-aggregator v0.37 does (apis/apiregistration/validation).
import { portNumber, record } from './field-rules.ts';
import { invalidValue, nameProblem, requiredValue, unsupported } from './names.ts';
import type { KubeObject } from './object.ts';
import type { StatusCause } from './status.ts';

const GROUP_PRIORITY_MAX = 20_000;
const VERSION_PRIORITY_MAX = 1_000;

function priorities(spec: Readonly<Record<string, unknown>>): StatusCause[] {
  const causes: StatusCause[] = [];
  for (const [name, max] of [
    ['groupPriorityMinimum', GROUP_PRIORITY_MAX],
    ['versionPriority', VERSION_PRIORITY_MAX],
  ] as const) {
    const value = Number(spec[name] ?? 0);
    if (value > 0 && value <= max) continue;
    causes.push(invalidValue(`spec.${name}`, value, `must be positive and less than ${max}`));
  }
  return causes;
}

const bytesOf = (bundle: unknown): number => Buffer.from(String(bundle ?? ''), 'base64').length;

function localRules(spec: Readonly<Record<string, unknown>>): StatusCause[] {
  const causes: StatusCause[] = [];
  const size = bytesOf(spec['caBundle']);
  if (size > 0) {
    const why = 'local APIServices may not have a caBundle';
    causes.push(invalidValue('spec.caBundle', `${size} bytes`, why));
  }
  if (spec['insecureSkipTLSVerify'] === true) {
    const why = 'local APIServices may not have insecureSkipTLSVerify';
    causes.push(invalidValue('spec.insecureSkipTLSVerify', true, why));
  }
  return causes;
}

function remoteRules(spec: Readonly<Record<string, unknown>>): StatusCause[] {
  const service = record(spec['service']);
  const causes: StatusCause[] = [];
  if (!service['namespace']) causes.push(requiredValue('spec.service.namespace'));
  if (!service['name']) causes.push(requiredValue('spec.service.name'));
  for (const cause of portNumber('spec.service.port', service['port'])) {
    const why = 'port is not valid: must be between 1 and 65535, inclusive';
    causes.push(invalidValue(cause.field ?? '', service['port'] ?? 0, why));
  }
  if (spec['insecureSkipTLSVerify'] === true && bytesOf(spec['caBundle']) > 0) {
    const why = 'may not be true if caBundle is present';
    causes.push(invalidValue('spec.insecureSkipTLSVerify', true, why));
  }
  return causes;
}

export function validateApiService(object: KubeObject): StatusCause[] {
  const spec = record(object['spec']);
  const group = String(spec['group'] ?? '');
  const version = String(spec['version'] ?? '');
  const causes: StatusCause[] = [];
  const { name = '', generateName = '' } = object.metadata;
  const needed = `${version}.${group}`;
  for (const [field, given] of [
    ['metadata.generateName', generateName],
    ['metadata.name', name],
  ] as const) {
    if (given === '' || given === needed || nameProblem('path-segment', given) !== undefined)
      continue;
    const why = `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(needed)}`;
    causes.push(invalidValue(field, given, why));
  }
  if (group === '' && version !== 'v1') {
    const why = 'only v1 may have an empty group and it better be legacy kube';
    causes.push(requiredValue('spec.group', why));
  }
  const groupProblem = group === '' ? undefined : nameProblem('subdomain', group);
  if (groupProblem !== undefined) causes.push(invalidValue('spec.group', group, groupProblem));
  const versionProblem = nameProblem('label1035', version);
  if (versionProblem !== undefined) {
    causes.push(invalidValue('spec.version', version, versionProblem));
  }
  const isLocal = spec['service'] === undefined || spec['service'] === null;
  return [...causes, ...priorities(spec), ...(isLocal ? localRules(spec) : remoteRules(spec))];
}

const STATUSES = ['True', 'False', 'Unknown'];

export function validateApiServiceStatus(object: KubeObject): StatusCause[] {
  const conditions = (record(object['status'])['conditions'] ?? []) as readonly {
    status?: string;
  }[];
  return conditions.flatMap(({ status = '' }, i) =>
    STATUSES.includes(status)
      ? []
      : [unsupported(`status.conditions[${i}].status`, status, STATUSES)],
  );
}
