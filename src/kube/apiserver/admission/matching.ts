// Whether a webhook or policy is about a request: rules of operations and resources, in the requested
// version or an equivalent one, and selectors of namespaces and objects.
import { cloneJson } from '#base/clone.ts';
import { apiVersionOf, type KubeObject } from '#kube/meta/object.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { labelSelectorFromObject, matchesLabels } from '#kube/meta/selectors.ts';
import { metadataOf, type AdmissionRequest, type AdmissionServices } from './request.ts';

export interface Rule {
  readonly operations?: readonly string[];
  readonly apiGroups?: readonly string[];
  readonly apiVersions?: readonly string[];
  readonly resources?: readonly string[];
  readonly scope?: string;
  readonly resourceNames?: readonly string[];
}

type Selector = Parameters<typeof labelSelectorFromObject>[0];

export interface Constraints {
  readonly rules: readonly Rule[];
  readonly excluded?: readonly Rule[] | undefined;
  readonly namespaceSelector?: Selector;
  readonly objectSelector?: Selector;
  readonly matchPolicy?: string | undefined;
}

const has = (list: readonly string[] | undefined, value: string): boolean =>
  list?.includes('*') === true || list?.includes(value) === true;

function matchesResource(
  resources: readonly string[],
  name: string,
  subresource: string | undefined,
): boolean {
  return resources.some((wanted) => {
    const [resource = '', sub] = wanted.split('/');
    const isResource = resource === '*' || resource === name;
    const isSub =
      sub === undefined ? subresource === undefined : sub === '*' || sub === subresource;
    // `*` alone is everything but subresources; `*/*` is everything.
    return isResource && (isSub || (wanted === '*/*' && subresource === undefined));
  });
}

function matchesRule(rule: Rule, request: AdmissionRequest, info: ResourceInfo): boolean {
  const { operation, subresource, name } = request;
  if (!has(rule.operations, operation)) return false;
  if (!has(rule.apiGroups, info.group) || !has(rule.apiVersions, info.version)) return false;
  if (!matchesResource(rule.resources ?? [], info.resource, subresource)) return false;
  const names = rule.resourceNames ?? [];
  if (names.length > 0 && !names.includes(name)) return false;
  const isNamespace = info.group === '' && info.resource === 'namespaces';
  const isNamespaced = info.namespaced && !isNamespace;
  if (rule.scope === 'Namespaced') return isNamespaced;
  return rule.scope !== 'Cluster' || !isNamespaced;
}

/** The requested resource before all others; of those the one that the earliest rule names. */
function firstRule(
  rules: readonly Rule[],
  request: AdmissionRequest,
  others: () => readonly ResourceInfo[],
): ResourceInfo | undefined {
  if (rules.some((rule) => matchesRule(rule, request, request.info))) return request.info;
  for (const rule of rules) {
    const found = others().find((info) => matchesRule(rule, request, info));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Kinds that two groups have, and whose objects lie in one place (upstream's cohabitating resources). */
const cohabiting: ReadonlyMap<string, readonly string[]> = new Map([
  ['events', ['', 'events.k8s.io']],
]);

const groupsOf = ({ group, resource }: ResourceInfo): readonly string[] => {
  const groups = cohabiting.get(resource) ?? [];
  return groups.includes(group) ? groups : [group];
};

/** The resource in its other versions, served or not, and in the other group that has it. */
function equivalents(
  { info, subresource }: AdmissionRequest,
  services: AdmissionServices,
  rules: readonly Rule[],
): ResourceInfo[] {
  const groups = groupsOf(info);
  const served = services.registry
    .all()
    .filter(({ group, resource }) => resource === info.resource && groups.includes(group));
  const named = new Set(rules.flatMap(({ apiVersions }) => apiVersions ?? []));
  const hidden = [...named]
    .filter((version) => !served.some((one) => one.version === version))
    .flatMap((version) => info.inVersion?.(version) ?? []);
  return [...served, ...hidden].filter(
    (one) =>
      apiVersionOf(one) !== apiVersionOf(info) &&
      (subresource === undefined || one.subresources.some(({ name }) => name === subresource)),
  );
}

async function matchesNamespace(
  selector: Selector,
  request: AdmissionRequest,
  services: AdmissionServices,
): Promise<boolean> {
  if (selector === undefined || Object.keys(selector).length === 0) return true;
  const parsed = labelSelectorFromObject(selector);
  if (parsed === undefined || parsed.length === 0) return true;
  const { info, namespace, object, old } = request;
  if (info.group === '' && info.resource === 'namespaces' && request.subresource === undefined) {
    const labels = (object ?? old)?.metadata.labels;
    return matchesLabels(parsed, labels);
  }
  if (!info.namespaced || namespace === undefined) return true;
  const found = await services.lookup.get('', 'namespaces', undefined, namespace);
  return matchesLabels(parsed, found?.metadata.labels);
}

function matchesObject(selector: Selector, { object, old }: AdmissionRequest): boolean {
  if (selector === undefined || Object.keys(selector).length === 0) return true;
  const parsed = labelSelectorFromObject(selector);
  if (parsed === undefined || parsed.length === 0) return true;
  const matches = (one: KubeObject | undefined): boolean =>
    metadataOf(one) !== undefined && matchesLabels(parsed, one?.metadata.labels);
  return matches(object) || matches(old);
}

/** The resource in the version that matched; undefined when it is not meant. */
export async function matchedResource(
  constraints: Constraints,
  request: AdmissionRequest,
  services: AdmissionServices,
): Promise<ResourceInfo | undefined> {
  const { excluded = [], rules, matchPolicy } = constraints;
  const othersFor = (of: readonly Rule[]) => {
    let known: readonly ResourceInfo[] | undefined;
    if (matchPolicy === 'Exact') return () => [];
    return () => (known ??= equivalents(request, services, of));
  };
  if (firstRule(excluded, request, othersFor(excluded)) !== undefined) return undefined;
  const found = firstRule(rules, request, othersFor(rules));
  if (found === undefined) return undefined;
  if (!matchesObject(constraints.objectSelector, request)) return undefined;
  const isMeant = await matchesNamespace(constraints.namespaceSelector, request, services);
  return isMeant ? found : undefined;
}

const policies: ReadonlySet<string> = new Set([
  'validatingadmissionpolicies',
  'validatingadmissionpolicybindings',
  'mutatingadmissionpolicies',
  'mutatingadmissionpolicybindings',
]);
const configurations: ReadonlySet<string> = new Set([
  ...policies,
  'validatingwebhookconfigurations',
  'mutatingwebhookconfigurations',
]);

const GROUP = 'admissionregistration.k8s.io';

/** Configurations of admission are never subject to webhooks, so that it can be mended. */
export const isExemptOfWebhooks = ({ info }: AdmissionRequest): boolean =>
  info.group === GROUP && configurations.has(info.resource);

/** Policies are not subject to policies; the configurations of webhooks are. */
export const isExemptOfPolicies = ({ info }: AdmissionRequest): boolean =>
  info.group === GROUP && policies.has(info.resource);

/** A request as those who know its resource in another version see it. */
export interface Versioned {
  readonly matched: ResourceInfo;
  readonly object: KubeObject | undefined;
  readonly old: KubeObject | undefined;
}

export async function versioned(
  { info, object, old }: AdmissionRequest,
  matched: ResourceInfo,
): Promise<Versioned> {
  if (matched === info) return { matched, object, old };
  return {
    matched,
    object: object && (await convertedTo(matched, object, info)),
    old: old && (await convertedTo(matched, old, info)),
  };
}

/** What is below an object (a scale) is of one version. Throws ApiError where a webhook that converts fails. */
export async function convertedTo(
  wanted: ResourceInfo,
  object: KubeObject,
  from: ResourceInfo,
): Promise<KubeObject> {
  const apiVersion = apiVersionOf(wanted);
  if (object.apiVersion !== apiVersionOf(from) || object.kind !== from.kind) return object;
  if (object.apiVersion === apiVersion) return object;
  const { codec } = from;
  if (codec?.convert !== undefined)
    return codec.mayCall ? await codec.convert(object, apiVersion) : { ...object, apiVersion };
  const stored = codec === undefined ? object : await codec.write(object);
  if (wanted.codec === undefined) return { ...stored, apiVersion };
  return wanted.codec.read(cloneJson(stored));
}
