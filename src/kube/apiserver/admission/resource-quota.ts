// ResourceQuota: what an object would use is added to the quotas of its namespace before it is stored, by
// an update that fails when somebody else added meanwhile; what does not fit is refused.
import type { KubeObject } from '#kube/meta/object.ts';
import {
  changesScopes,
  exceeding,
  isDeviceClaim,
  masked,
  matchedScopes,
  matchingNames,
  minus,
  missingRequests,
  plus,
  quotaMatches,
  requirementsOf,
  usageOf,
  type Amounts,
  type Kind,
} from '#kube/meta/quota.ts';
import { isMadeForPod } from '#kube/meta/quota-devices.ts';
import { compareQuantities } from '#kube/meta/quantity.ts';
import { checkCovered, limitedResourcesOf, type LimitedResource } from './quota-configuration.ts';
import {
  forbiddenBy,
  isOf,
  type AdmissionPlugin,
  type AdmissionRequest,
  type AdmissionServices,
} from './request.ts';

const shown = (amounts: Amounts): string =>
  Object.keys(amounts)
    .toSorted()
    .map((name) => `${name}=${amounts[name] ?? ''}`)
    .join(',');

function isMeant(request: AdmissionRequest): boolean {
  const { operation, subresource, object, old, info, namespace } = request;
  if (object === undefined || !info.namespaced || namespace === undefined) return false;
  // What is allocated to a claim of storage, and the class that it has, stand in its status.
  if (subresource === 'status') return isOf(request, '', 'persistentvolumeclaims');
  if (subresource !== undefined) return false;
  if (operation === 'CREATE') return info.resource !== 'events';
  if (operation !== 'UPDATE' || old === undefined) return false;
  if (info.group !== '') return isDeviceClaim(info);
  if (info.resource === 'pods') return changesScopes(object, old);
  return ['services', 'persistentvolumeclaims'].includes(info.resource);
}

function statusOf(quota: KubeObject): { hard: Amounts; used: Amounts } {
  const { hard = {}, used = {} } = (quota['status'] ?? {}) as { hard?: Amounts; used?: Amounts };
  return { hard, used };
}

/** What the request adds to the quota; empty when nothing. Throws ApiError when it does not fit. */
function charge(request: AdmissionRequest, kind: Kind, quota: KubeObject): Record<string, string> {
  const { object, old, operation } = request;
  if (object === undefined) return {};
  const { hard, used } = statusOf(quota);
  if (!quotaMatches(quota, kind, object, hard)) return {};
  const { name = '' } = quota.metadata;
  const names = matchingNames(kind, Object.keys(hard));
  if (isOf(request, '', 'pods')) {
    const missing = missingRequests(object, names);
    if (missing !== undefined) throw forbiddenBy(request, `failed quota: ${name}: ${missing}`);
  }
  if (names.some((one) => used[one] === undefined)) {
    const unknown = names.toSorted().join(',');
    throw forbiddenBy(request, `status unknown for quota: ${name}, resources: ${unknown}`);
  }
  const whole = usageOf(kind, object);
  const wasCharged =
    operation === 'UPDATE' && old !== undefined && quotaMatches(quota, kind, old, hard);
  const delta = wasCharged ? minus(whole, usageOf(kind, old)) : whole;
  const more = Object.entries(masked(delta, Object.keys(hard))).filter(
    ([, amount]) => compareQuantities(amount, '0') !== 0,
  );
  const requested = Object.fromEntries(more);
  // What a volume has become cannot be refused any more, only counted.
  if (request.subresource === 'status') return requested;
  const next = masked(plus(used, requested), Object.keys(requested));
  const exceeded = exceeding(next, hard);
  if (exceeded.length === 0) return requested;
  const texts = [masked(requested, exceeded), masked(used, exceeded), masked(hard, exceeded)].map(
    shown,
  );
  const why = `exceeded quota: ${name}, requested: ${texts[0]}, used: ${texts[1]}, limited: ${texts[2]}`;
  throw forbiddenBy(request, why);
}

/** Adds to the status of a quota unless it has changed; undefined when it has. */
export type ChargeQuota = (
  quota: KubeObject,
  change: (live: KubeObject) => KubeObject,
) => Promise<void>;

function checkLimited(
  request: AdmissionRequest,
  kind: Kind,
  limited: readonly LimitedResource[],
  quotas: readonly KubeObject[],
): void {
  const { object } = request;
  if (limited.length === 0 || object === undefined) return;
  const names = new Set<string>();
  const scopes = new Set<string>();
  for (const quota of quotas) {
    const { hard } = statusOf(quota);
    for (const one of matchedScopes(kind, object, requirementsOf(quota))) scopes.add(one.scopeName);
    if (!quotaMatches(quota, kind, object, hard)) continue;
    for (const name of matchingNames(kind, Object.keys(hard))) names.add(name);
  }
  checkCovered({ ...request, object }, limited, { kind, names, scopes });
}

/** With what the usage of a claim of devices depends on. */
async function kindOf(
  { info, object, namespace }: AdmissionRequest,
  { lookup }: AdmissionServices,
): Promise<Kind> {
  if (!isDeviceClaim(info) || object === undefined) return info;
  const { group, resource } = info;
  const classes = await lookup.list(group, 'deviceclasses', undefined);
  if (!isMadeForPod(object)) return { group, resource, devices: { classes, pods: [], claims: [] } };
  const [pods, claims] = await Promise.all([
    lookup.list('', 'pods', namespace),
    lookup.list(group, resource, namespace),
  ]);
  return { group, resource, devices: { classes, pods, claims } };
}

/** Throws Fault for a configuration that cannot be used. */
export function resourceQuota(update: ChargeQuota, config?: unknown): AdmissionPlugin {
  const limited = limitedResourcesOf(config);
  return {
    name: 'ResourceQuota',
    async validate(request, services: AdmissionServices) {
      if (!isMeant(request)) return;
      const quotas = await services.lookup.list('', 'resourcequotas', request.namespace);
      const kind = await kindOf(request, services);
      checkLimited(request, kind, limited, quotas);
      // All of them must fit before one is charged.
      const charged = quotas.filter(
        (quota) => Object.keys(charge(request, kind, quota)).length > 0,
      );
      if (request.isDryRun) return;
      for (const quota of charged) {
        await update(quota, (live) => {
          // Of what the quota is by now.
          const more = charge(request, kind, live);
          const { used } = statusOf(live);
          return { ...live, status: { ...live['status'], used: plus(used, more) } };
        });
      }
    },
  };
}
