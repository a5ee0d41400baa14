// PodSecurity: the standard that a namespace's labels name is enforced on its pods, warned of, and written
// to the audit log; templates of pods are only warned of.
import { same } from '#base/same.ts';
import { invalid } from '#kube/meta/status.ts';
import { findings, type Finding } from './pod-security-checks.ts';
import {
  ignoredPolicy,
  nameOf,
  podSecurityConfiguration,
  policiesOf,
  PREFIX,
  stricter,
  type Labels,
  type PodSecurityConfiguration,
  type Policies,
  type Policy,
} from './pod-security-policy.ts';
import {
  forbiddenBy,
  isOf,
  type AdmissionPlugin,
  type AdmissionRequest,
  type AdmissionServices,
  type Json,
} from './request.ts';

function detailOf(found: readonly Finding[]): string {
  return found
    .map(({ reason, detail }) => (detail === '' ? reason : `${reason} (${detail})`))
    .join(', ');
}

interface Template {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: Json;
}

const controllers: Readonly<Record<string, readonly string[]>> = {
  '/replicationcontrollers': ['spec', 'template'],
  '/podtemplates': ['template'],
  'apps/replicasets': ['spec', 'template'],
  'apps/deployments': ['spec', 'template'],
  'apps/statefulsets': ['spec', 'template'],
  'apps/daemonsets': ['spec', 'template'],
  'batch/jobs': ['spec', 'template'],
  'batch/cronjobs': ['spec', 'jobTemplate', 'spec', 'template'],
};

function templateOf({ info, object }: AdmissionRequest): Template | undefined {
  const path = controllers[`${info.group}/${info.resource}`];
  if (path === undefined) return undefined;
  const found = path.reduce<unknown>((value, key) => (value as Json | undefined)?.[key], object);
  const { metadata = {}, spec } = (found ?? {}) as Partial<Template>;
  return spec === undefined ? undefined : { metadata, spec };
}

const annotation = (key: string): string => `${PREFIX}${key}`;

type Exemption = 'namespace' | 'user' | 'runtimeClass';

/** Why nobody looks at the pod; undefined: it is looked at. */
function exemptionOf(
  { namespace = '', user }: AdmissionRequest,
  { spec }: Template,
  { exempt }: PodSecurityConfiguration,
): Exemption | undefined {
  if (exempt.namespaces.has(namespace)) return 'namespace';
  if (exempt.usernames.has(user.name)) return 'user';
  return exempt.runtimeClasses.has(String(spec['runtimeClassName'] ?? ''))
    ? 'runtimeClass'
    : undefined;
}

function aggregate({ errors }: Policies): string {
  const texts = errors.map(({ field = '', message }) => `${field}: ${message}`);
  return texts.length === 1 ? (texts[0] ?? '') : `[${texts.join(', ')}]`;
}

async function evaluate(
  request: AdmissionRequest,
  { lookup, podSecurity: counts }: AdmissionServices,
  template: Template,
  { enforces, config }: { enforces: boolean; config: PodSecurityConfiguration },
): Promise<void> {
  const { operation, subresource } = request;
  const judged = { operation, resource: request.info.resource, subresource };
  const exemption = exemptionOf(request, template, config);
  if (exemption !== undefined) {
    counts.exempted(judged);
    request.annotations[annotation('exempt')] = exemption;
    return;
  }
  const namespace = await lookup.get('', 'namespaces', undefined, request.namespace ?? '');
  const policies = policiesOf(namespace?.metadata.labels, config.defaults);
  const { enforce, audit, warn, errors } = policies;
  if (errors.length > 0) {
    counts.failed(judged, false);
    request.annotations[annotation('error')] = `Failed to parse policy: ${aggregate(policies)}`;
  }
  const check = ({ level, version }: Policy): Finding[] =>
    findings(level, version, template.metadata, template.spec);
  if (enforces) request.annotations[annotation('enforce-policy')] = nameOf(enforce);
  const audited = check(audit);
  if (audited.length > 0) {
    counts.evaluated(judged, 'audit', audit, false);
    const text = `would violate PodSecurity ${JSON.stringify(nameOf(audit))}: ${detailOf(audited)}`;
    request.annotations[annotation('audit-violations')] = text;
  }
  const enforced = enforces ? check(enforce) : [];
  if (enforces) counts.evaluated(judged, 'enforce', enforce, enforced.length === 0);
  if (enforced.length > 0) {
    const why = `violates PodSecurity ${JSON.stringify(nameOf(enforce))}: ${detailOf(enforced)}`;
    throw forbiddenBy(request, why);
  }
  const warned = check(warn);
  if (warned.length > 0) {
    counts.evaluated(judged, 'warn', warn, false);
    request.warnings.push(
      `would violate PodSecurity ${JSON.stringify(nameOf(warn))}: ${detailOf(warned)}`,
    );
  }
}

const PODS_CHECKED_MAX = 3_000;

/** What a stricter level would have refused is told to whoever sets it. */
async function warnOfPods(
  request: AdmissionRequest,
  { lookup }: AdmissionServices,
  { policy, exempt }: { policy: Policy; exempt: PodSecurityConfiguration['exempt'] },
): Promise<void> {
  const all = await lookup.list('', 'pods', request.name);
  const pods = all.filter(
    (pod) => !exempt.runtimeClasses.has(String(pod['spec']?.runtimeClassName ?? '')),
  );
  const byWarning = new Map<string, string[]>();
  for (const pod of pods.slice(0, PODS_CHECKED_MAX)) {
    const found = findings(policy.level, policy.version, pod.metadata, pod['spec'] as Json);
    if (found.length === 0) continue;
    const text = found.map(({ reason }) => reason).join(', ');
    byWarning.set(text, [...(byWarning.get(text) ?? []), pod.metadata.name ?? '']);
  }
  if (pods.length > PODS_CHECKED_MAX) {
    request.warnings.push(
      `new PodSecurity enforce level only checked against the first ${PODS_CHECKED_MAX} of ${pods.length} existing pods`,
    );
  }
  if (byWarning.size === 0) return;
  const level = JSON.stringify(nameOf(policy));
  const place = JSON.stringify(request.name);
  request.warnings.push(
    `existing pods in namespace ${place} violate the new PodSecurity enforce level ${level}`,
  );
  const texts = [...byWarning].map(([text, names]) => {
    const others = names.length - 1;
    const more =
      others === 0 ? '' : others === 1 ? ' (and 1 other pod)' : ` (and ${others} other pods)`;
    return `${names.toSorted()[0] ?? ''}${more}: ${text}`;
  });
  request.warnings.push(...texts.toSorted());
}

async function checkNamespace(
  request: AdmissionRequest,
  services: AdmissionServices,
  config: PodSecurityConfiguration,
): Promise<void> {
  const labels: Labels | undefined = request.object?.metadata.labels;
  const next = policiesOf(labels, config.defaults);
  const isExempt = config.exempt.namespaces.has(request.name);
  const warnOfExemption = (): void => {
    const text = ignoredPolicy(request.name, next, labels, config);
    if (text !== undefined) request.warnings.push(text);
  };
  if (request.operation === 'CREATE') {
    if (next.errors.length > 0) throw invalid(request.info, request.name, next.errors);
    if (isExempt) warnOfExemption();
    return;
  }
  const before = policiesOf(request.old?.metadata.labels, config.defaults);
  if (next.errors.length > 0 && !same(next.errors, before.errors)) {
    throw invalid(request.info, request.name, next.errors);
  }
  if (same(next.enforce, before.enforce) || next.enforce.level === 'privileged') return;
  const isRelaxed =
    next.enforce.version === before.enforce.version &&
    !stricter(next.enforce.level, before.enforce.level);
  if (isRelaxed) return;
  if (isExempt) return warnOfExemption();
  await warnOfPods(request, services, { policy: next.enforce, exempt: config.exempt });
}

const ignored = new Set([
  'exec',
  'attach',
  'binding',
  'eviction',
  'log',
  'portforward',
  'proxy',
  'status',
]);

/** Of a pod that is there only images, and containers that come, are looked at. */
function isSignificant({ object, old }: AdmissionRequest): boolean {
  const shape = (pod: unknown): unknown => {
    const spec = ((pod as Json | undefined)?.['spec'] ?? {}) as Json;
    return ['containers', 'initContainers', 'ephemeralContainers'].map((key) =>
      ((spec[key] ?? []) as Json[]).map(
        ({ image, name, securityContext, resources: _r, ...rest }) =>
          key === 'ephemeralContainers'
            ? { image, name, securityContext, ...rest }
            : { image, name },
      ),
    );
  };
  return !same(shape(object), shape(old));
}

/** Throws Fault for a configuration that cannot be used. */
export function podSecurity(configuration: unknown): AdmissionPlugin {
  const config = podSecurityConfiguration(configuration);
  return {
    name: 'PodSecurity',
    async validate(request, services) {
      const { operation, object, subresource } = request;
      if (object === undefined || (operation !== 'CREATE' && operation !== 'UPDATE')) return;
      if (isOf(request, '', 'namespaces')) {
        if (subresource === undefined) await checkNamespace(request, services, config);
        return;
      }
      if (isOf(request, '', 'pods')) {
        if (ignored.has(subresource ?? '') || (operation === 'UPDATE' && !isSignificant(request)))
          return;
        const template = { metadata: object.metadata, spec: object['spec'] as Json };
        return await evaluate(request, services, template as Template, { enforces: true, config });
      }
      if (subresource !== undefined) return;
      const template = templateOf(request);
      if (template !== undefined) {
        await evaluate(request, services, template, { enforces: false, config });
      }
    },
  };
}
