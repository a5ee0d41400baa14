// Which requests are written down, how fully, and at which stages (Policy of audit.k8s.io/v1). Pure, but for
// reading the file.
import { Problems, readConfiguration, type Json } from '#kube/apiserver/configuration-file.ts';
import type { AccessRequest } from '#kube/apiserver/rbac.ts';

export const levels = ['None', 'Metadata', 'Request', 'RequestResponse'] as const;
export type Level = (typeof levels)[number];

export const stages = ['RequestReceived', 'ResponseStarted', 'ResponseComplete', 'Panic'] as const;
export type Stage = (typeof stages)[number];

export const isAtLeast = (level: Level, least: Level): boolean =>
  levels.indexOf(level) >= levels.indexOf(least);

interface GroupResources {
  readonly group?: string;
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
}

interface Rule {
  readonly level: Level;
  readonly users?: readonly string[];
  readonly userGroups?: readonly string[];
  readonly verbs?: readonly string[];
  readonly resources?: readonly GroupResources[];
  readonly namespaces?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
  readonly omitStages?: readonly Stage[];
  readonly omitManagedFields?: boolean;
}

export interface AuditPolicy {
  readonly rules: readonly Rule[];
  readonly omitStages: readonly Stage[];
  readonly omitManagedFields: boolean;
}

export interface Extent {
  readonly level: Level;
  readonly omitStages: ReadonlySet<Stage>;
  readonly omitManagedFields: boolean;
}

const isAny = (list: readonly unknown[] | undefined): boolean => (list ?? []).length > 0;

function pathMatches(path: string, spec: string): boolean {
  if (spec === '*' || spec === path) return true;
  return spec.endsWith('*') && path.startsWith(spec.replace(/\*+$/, ''));
}

function resourceMatches(
  { group = '', resources, resourceNames }: GroupResources,
  access: AccessRequest,
): boolean {
  if (group !== access.group && group !== '*') return false;
  if (!isAny(resources)) return true;
  if (isAny(resourceNames) && resourceNames?.includes(access.name ?? '') !== true) return false;
  const { resource, subresource } = access;
  const whole = subresource === undefined ? resource : `${resource}/${subresource}`;
  return (resources ?? []).some(
    (one) =>
      one === '*' ||
      one === whole ||
      one === `${resource}/*` ||
      (subresource !== undefined && one === `*/${subresource}`),
  );
}

function matches(rule: Rule, access: AccessRequest): boolean {
  const { user, verb, isResource, namespace = '', path } = access;
  if (isAny(rule.users) && rule.users?.includes(user.name) !== true) return false;
  const groups = rule.userGroups ?? [];
  if (groups.length > 0 && !groups.some((one) => user.groups.includes(one))) return false;
  if (isAny(rule.verbs) && rule.verbs?.includes(verb) !== true) return false;
  if (isAny(rule.namespaces) || isAny(rule.resources)) {
    if (!isResource) return false;
    if (isAny(rule.namespaces) && rule.namespaces?.includes(namespace) !== true) return false;
    return (
      !isAny(rule.resources) || (rule.resources ?? []).some((one) => resourceMatches(one, access))
    );
  }
  if (!isAny(rule.nonResourceURLs)) return true;
  return !isResource && (rule.nonResourceURLs ?? []).some((spec) => pathMatches(path, spec));
}

export function extentOf(policy: AuditPolicy, access: AccessRequest): Extent {
  const rule = policy.rules.find((one) => matches(one, access));
  return {
    level: rule?.level ?? 'None',
    omitStages: new Set([...policy.omitStages, ...(rule?.omitStages ?? [])]),
    omitManagedFields: rule?.omitManagedFields ?? policy.omitManagedFields,
  };
}

function checkRule(rule: Json, field: string, problems: Problems): void {
  problems.onlyKnown(field, rule, [
    'level',
    'users',
    'userGroups',
    'verbs',
    'resources',
    'namespaces',
    'nonResourceURLs',
    'omitStages',
    'omitManagedFields',
  ]);
  const level = rule['level'];
  if (!(levels as readonly unknown[]).includes(level)) {
    const shown = levels.map((one) => JSON.stringify(one)).join(', ');
    problems.add(
      `${field}.level`,
      `Unsupported value: ${JSON.stringify(level ?? '')}: supported values: ${shown}`,
    );
  }
  const urls = (rule['nonResourceURLs'] ?? []) as string[];
  const isBoth = isAny(urls) && (isAny(rule['resources'] as []) || isAny(rule['namespaces'] as []));
  if (isBoth) {
    problems.invalid(
      `${field}.nonResourceURLs`,
      urls,
      'rules cannot apply to both regular resources and non-resource URLs',
    );
  }
  for (const url of urls) {
    if (url !== '*' && !url.startsWith('/')) {
      problems.invalid(
        `${field}.nonResourceURLs`,
        url,
        'non-resource URL rules must begin with a "/" character',
      );
    }
  }
  for (const stage of (rule['omitStages'] ?? []) as string[]) {
    if ((stages as readonly string[]).includes(stage)) continue;
    problems.invalid(`${field}.omitStages`, stage, `allowed stages are ${stages.join(',')}`);
  }
}

/** Throws Fault. */
export function readPolicy(path: string): AuditPolicy {
  const object = readConfiguration(path, 'audit.k8s.io', { kind: 'Policy', versions: ['v1'] });
  const problems = new Problems(path);
  const known = ['apiVersion', 'kind', 'metadata', 'rules', 'omitStages', 'omitManagedFields'];
  problems.onlyKnown('', object, known);
  const rules = (object['rules'] ?? []) as Json[];
  if (rules.length === 0) problems.add('rules', 'Required value: at least one rule is needed');
  rules.forEach((rule, i) => checkRule(rule, `rules[${i}]`, problems));
  problems.check();
  return {
    rules: rules as unknown as Rule[],
    omitStages: (object['omitStages'] ?? []) as Stage[],
    omitManagedFields: object['omitManagedFields'] === true,
  };
}
