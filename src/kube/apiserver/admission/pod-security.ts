// PodSecurity: the standard that a namespace's labels name is enforced on its pods, warned of, and written
// to the audit log; templates of pods are only warned of.
import { invalidValue } from '#kube/meta/names.ts';
import { same } from '#base/same.ts';
import { invalid, type StatusCause } from '#kube/meta/status.ts';
import { findings, type Finding, type Level } from './pod-security-checks.ts';
import {
  forbiddenBy,
  isOf,
  type AdmissionPlugin,
  type AdmissionRequest,
  type AdmissionServices,
  type Json,
} from './request.ts';

interface Policy {
  readonly level: Level;
  readonly version: number | 'latest';
}

interface Policies {
  readonly enforce: Policy;
  readonly audit: Policy;
  readonly warn: Policy;
  readonly errors: readonly StatusCause[];
}

const PREFIX = 'pod-security.kubernetes.io/';
const levels: readonly string[] = ['privileged', 'baseline', 'restricted'];

function parseVersion(text: string): number | 'latest' | undefined {
  if (text === 'latest') return 'latest';
  const match = /^v1\.([0-9]|[1-9][0-9]*)$/.exec(text);
  return match === null ? undefined : Number(match[1]);
}

function policiesOf(labels: Readonly<Record<string, string>> = {}): Policies {
  const errors: StatusCause[] = [];
  const fail = (key: string, value: string, why: string): void =>
    void errors.push(invalidValue(`metadata.labels[${PREFIX}${key}]`, value, why));
  const read = (mode: string, fallback: Level): Policy => {
    const [level, version] = [labels[`${PREFIX}${mode}`], labels[`${PREFIX}${mode}-version`]];
    const isLevel = level === undefined || levels.includes(level);
    if (!isLevel) fail(mode, level, `must be one of ${levels.join(', ')}`);
    const parsed = version === undefined ? 'latest' : parseVersion(version);
    if (parsed === undefined) fail(`${mode}-version`, version ?? '', 'must be "latest" or "v1.x"');
    const known = (level ?? 'privileged') as Level;
    return { level: isLevel ? known : fallback, version: parsed ?? 'latest' };
  };
  const enforce = read('enforce', 'restricted');
  const audit = read('audit', 'privileged');
  let warn = read('warn', 'privileged');
  const isEnforced = levels.includes(labels[`${PREFIX}enforce`] ?? '');
  if (labels[`${PREFIX}warn`] === undefined && isEnforced && enforce.level !== 'privileged') {
    const version = labels[`${PREFIX}warn-version`] === undefined ? enforce.version : warn.version;
    warn = { level: enforce.level, version };
  }
  return { enforce, audit, warn, errors };
}

const nameOf = ({ level, version }: Policy): string =>
  `${level}:${version === 'latest' ? 'latest' : `v1.${version}`}`;

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

async function evaluate(
  request: AdmissionRequest,
  { lookup }: AdmissionServices,
  template: Template,
  enforces: boolean,
): Promise<void> {
  const namespace = await lookup.get('', 'namespaces', undefined, request.namespace ?? '');
  const { enforce, audit, warn } = policiesOf(namespace?.metadata.labels);
  const check = ({ level, version }: Policy): Finding[] =>
    findings(level, version, template.metadata, template.spec);
  if (enforces) request.annotations[annotation('enforce-policy')] = nameOf(enforce);
  const audited = check(audit);
  if (audited.length > 0) {
    const text = `would violate PodSecurity ${JSON.stringify(nameOf(audit))}: ${detailOf(audited)}`;
    request.annotations[annotation('audit-violations')] = text;
  }
  const enforced = enforces ? check(enforce) : [];
  if (enforced.length > 0) {
    const why = `violates PodSecurity ${JSON.stringify(nameOf(enforce))}: ${detailOf(enforced)}`;
    throw forbiddenBy(request, why);
  }
  const warned = check(warn);
  if (warned.length > 0) {
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
  policy: Policy,
): Promise<void> {
  const pods = await lookup.list('', 'pods', request.name);
  const byWarning = new Map<string, string[]>();
  for (const pod of pods.slice(0, PODS_CHECKED_MAX)) {
    const found = findings(policy.level, policy.version, pod.metadata, pod['spec'] as Json);
    if (found.length === 0) continue;
    const text = found.map(({ reason }) => reason).join(', ');
    byWarning.set(text, [...(byWarning.get(text) ?? []), pod.metadata.name ?? '']);
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
): Promise<void> {
  const next = policiesOf(request.object?.metadata.labels);
  if (request.operation === 'CREATE') {
    if (next.errors.length > 0) throw invalid(request.info, request.name, next.errors);
    return;
  }
  const before = policiesOf(request.old?.metadata.labels);
  if (next.errors.length > 0 && !same(next.errors, before.errors)) {
    throw invalid(request.info, request.name, next.errors);
  }
  if (same(next.enforce, before.enforce) || next.enforce.level === 'privileged') return;
  const isRelaxed =
    next.enforce.version === before.enforce.version &&
    levels.indexOf(next.enforce.level) <= levels.indexOf(before.enforce.level);
  if (!isRelaxed) await warnOfPods(request, services, next.enforce);
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

export const podSecurity: AdmissionPlugin = {
  name: 'PodSecurity',
  async validate(request, services) {
    const { operation, object, subresource } = request;
    if (object === undefined || (operation !== 'CREATE' && operation !== 'UPDATE')) return;
    if (isOf(request, '', 'namespaces')) {
      if (subresource === undefined) await checkNamespace(request, services);
      return;
    }
    if (isOf(request, '', 'pods')) {
      if (ignored.has(subresource ?? '') || (operation === 'UPDATE' && !isSignificant(request)))
        return;
      const template = { metadata: object.metadata, spec: object['spec'] as Json };
      return await evaluate(request, services, template as Template, true);
    }
    if (subresource !== undefined) return;
    const template = templateOf(request);
    if (template !== undefined) await evaluate(request, services, template, false);
  },
};
