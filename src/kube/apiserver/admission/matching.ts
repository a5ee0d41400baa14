// Whether a webhook or policy is about a request: rules of operations and resources, in the requested
// version or an equivalent one, and selectors of namespaces and objects.
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

function firstRule(
  rules: readonly Rule[],
  request: AdmissionRequest,
  infos: readonly ResourceInfo[],
): ResourceInfo | undefined {
  return infos.find((info) => rules.some((rule) => matchesRule(rule, request, info)));
}

/** The requested resource first, then other versions of it. */
function equivalents(
  request: AdmissionRequest,
  services: AdmissionServices,
  policy: string | undefined,
): ResourceInfo[] {
  const { info } = request;
  if (policy === 'Exact') return [info];
  const others = services.registry
    .all()
    .filter((one) => one !== info && one.group === info.group && one.resource === info.resource);
  return [info, ...others.filter(({ version }) => version !== info.version)];
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
  const infos = equivalents(request, services, constraints.matchPolicy);
  const { excluded = [] } = constraints;
  if (excluded.length > 0 && firstRule(excluded, request, infos) !== undefined) return undefined;
  const found = firstRule(constraints.rules, request, infos);
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

/** The object in the version of a resource that is equivalent to its own; other kinds have but one. */
export function inVersion(
  object: KubeObject | undefined,
  info: ResourceInfo,
): KubeObject | undefined {
  if (object === undefined || object.apiVersion === apiVersionOf(info)) return object;
  if (object.kind !== info.kind) return object;
  return { ...object, apiVersion: apiVersionOf(info) };
}
