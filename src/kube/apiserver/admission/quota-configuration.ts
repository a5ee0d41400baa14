// What may be used only where a quota covers it: `limitedResources` of the configuration of ResourceQuota
// (ResourceQuotaConfiguration of apiserver.config.k8s.io/v1, Configuration of the older versions).
import { Fault } from '#base/fault.ts';
import { Problems } from '#kube/apiserver/configuration-file.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { compareQuantities } from '#kube/meta/quantity.ts';
import { matchedScopes, usageOf, type Kind, type ScopeRequirement } from '#kube/meta/quota.ts';
import { ApiError } from '#kube/meta/status.ts';
import { forbiddenBy, type AdmissionRequest, type Json } from './request.ts';

export interface LimitedResource {
  readonly apiGroup?: string;
  readonly resource: string;
  readonly matchContains?: readonly string[];
  readonly matchScopes?: readonly ScopeRequirement[];
}

const kinds = new Set([
  'apiserver.config.k8s.io/v1 ResourceQuotaConfiguration',
  'resourcequota.admission.k8s.io/v1beta1 Configuration',
  'resourcequota.admission.k8s.io/v1alpha1 Configuration',
]);
const fields = ['apiGroup', 'resource', 'matchContains', 'matchScopes'];

/** Throws Fault for a configuration that cannot be used. */
export function limitedResourcesOf(config: unknown): readonly LimitedResource[] {
  if (config === undefined) return [];
  const { apiVersion, kind, limitedResources = [], ...rest } = config as Json;
  if (!kinds.has(`${String(apiVersion)} ${String(kind)}`)) {
    throw new Fault(
      { code: 'bad-configuration' },
      `Cannot use the configuration of ResourceQuota: it is a ${String(kind)} of ${String(apiVersion)}`,
    );
  }
  const problems = new Problems('the configuration of ResourceQuota');
  problems.onlyKnown('', rest, []);
  const all = (limitedResources ?? []) as LimitedResource[];
  all.forEach((one, i) => {
    problems.onlyKnown(`limitedResources[${i}]`, one, fields);
    problems.required(`limitedResources[${i}].resource`, one.resource);
  });
  problems.check();
  return all;
}

function limitedNames(
  kind: Kind,
  object: KubeObject,
  limited: readonly LimitedResource[],
): Set<string> {
  const found = new Set<string>();
  for (const { apiGroup = '', resource, matchContains = [] } of limited) {
    if (apiGroup !== kind.group || resource !== kind.resource) continue;
    for (const [name, amount] of Object.entries(usageOf(kind, object))) {
      const isMeant = matchContains.some((part) => name.includes(part));
      if (isMeant && compareQuantities(amount, '0') > 0) found.add(name);
    }
  }
  return found;
}

/** As Go prints structs. */
const shown = ({ scopeName, operator, values = [] }: ScopeRequirement): string =>
  `{${scopeName} ${operator} [${values.join(' ')}]}`;

/**
 * Whether quotas cover what is limited: `names` are those of the quotas that match, `scopes` those of all
 * quotas that the object meets. Throws ApiError for what none covers.
 */
export function checkCovered(
  request: AdmissionRequest & { readonly object: KubeObject },
  limited: readonly LimitedResource[],
  covered: {
    readonly kind: Kind;
    readonly names: ReadonlySet<string>;
    readonly scopes: ReadonlySet<string>;
  },
): void {
  const { object } = request;
  const { kind } = covered;
  const missing = [...limitedNames(kind, object, limited)].filter((one) => !covered.names.has(one));
  if (missing.length > 0) {
    throw forbiddenBy(request, `insufficient quota to consume: ${missing.toSorted().join(',')}`);
  }
  const scopes = limited
    .flatMap(({ matchScopes = [] }) => matchedScopes(kind, object, matchScopes))
    .filter(({ scopeName }) => !covered.scopes.has(scopeName));
  if (scopes.length === 0) return;
  const texts = scopes.map(shown).join(' ');
  throw new ApiError(500, '', `insufficient quota to match these scopes: [${texts}]`);
}
