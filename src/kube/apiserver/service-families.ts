// Which families of addresses a service gets, of those that the server has ranges for: settled before any address is
// taken (initIPFamilyFields in pkg/registry/core/service/storage/alloc.go of kubernetes v1.37).
import { familyOf, otherFamily, type Family } from '#kube/meta/ip-ranges.ts';
import { invalidValue } from '#kube/meta/names.ts';
import type { StatusCause } from '#kube/meta/status.ts';
import { serviceAddressCauses } from '#kube/meta/validation-service-addresses.ts';
import { same } from '#base/same.ts';

type Spec = Record<string, unknown>;

export const textsOf = (value: unknown): readonly string[] =>
  Array.isArray(value) ? (value as string[]) : [];

const SINGLE = 'SingleStack';
const PREFER = 'PreferDualStack';
const REQUIRE = 'RequireDualStack';
const POLICY = 'spec.ipFamilyPolicy';

const isExternal = (spec: Spec): boolean => spec['type'] === 'ExternalName';

/** Without an address and without a selector it is for whoever writes the endpoints: of both families. */
const isOpen = ({ clusterIP, selector }: Spec): boolean =>
  clusterIP === 'None' && Object.keys((selector ?? {}) as object).length === 0;

const sameTexts = (one: unknown, other: unknown): boolean => same(textsOf(one), textsOf(other));

/** A service that likes two stays as it is when the cluster gets, or loses, its second range. */
export function isLeftAlone(spec: Spec, before: Spec | undefined): boolean {
  if (before === undefined || isExternal(spec) || spec['type'] !== before['type']) return false;
  if (spec['ipFamilyPolicy'] !== PREFER || (before['ipFamilyPolicy'] ?? PREFER) !== PREFER)
    return false;
  const isSame = (field: string): boolean => sameTexts(spec[field], before[field]);
  return isSame('clusterIPs') && isSame('ipFamilies');
}

/**
 * Fills in policy and families, and gives what is wrong with them; `before` is the spec of a service that is there,
 * `configured` the families of the server's ranges, the usual one first.
 */
export function settleFamilies(
  spec: Spec,
  before: Spec | undefined,
  configured: readonly Family[],
): readonly StatusCause[] {
  if (isExternal(spec) || isLeftAlone(spec, before)) return [];
  const preset = isOpen(spec) ? REQUIRE : SINGLE;
  spec['ipFamilyPolicy'] ??= before?.['ipFamilyPolicy'] ?? preset;
  const wrong = serviceAddressCauses(spec, before);
  if (wrong.length > 0) return wrong;
  const causes = before === undefined ? [] : lessen(spec, before);
  causes.push(...tooMany(spec), ...infer(spec, configured));
  if (causes.length > 0) return causes;
  const isSingle = spec['ipFamilyPolicy'] === SINGLE;
  const wanted = textsOf(spec['ipFamilies']) as readonly Family[];
  if (!isOpen(spec)) {
    const missing = unconfigured(spec, wanted, configured);
    if (missing.length > 0) return missing;
  }
  const [first = configured[0] ?? 'IPv4', ...more] = wanted;
  const isBoth = !isSingle && more.length === 0 && (isOpen(spec) || configured.length === 2);
  spec['ipFamilies'] = isBoth ? [first, otherFamily(first)] : [first, ...more];
  return [];
}

/** To say "single" is to let the second one go; to say less without it is a mistake. */
function lessen(spec: Spec, before: Spec): StatusCause[] {
  const fields = [
    ['clusterIPs', 'cluster IP'],
    ['ipFamilies', 'IP family'],
  ] as const;
  return fields.flatMap(([field, what]) => {
    const [next, old] = [textsOf(spec[field]), textsOf(before[field])];
    if (spec['ipFamilyPolicy'] === SINGLE) {
      if (same(next, old) && next.length > 1) spec[field] = next.slice(0, 1);
      return [];
    }
    if (next.length === 0 || next.length >= old.length) return [];
    const why = `must be 'SingleStack' to release the secondary ${what}`;
    return [invalidValue(POLICY, spec['ipFamilyPolicy'], why)];
  });
}

function tooMany(spec: Spec): StatusCause[] {
  if (spec['ipFamilyPolicy'] !== SINGLE) return [];
  const fields = { 'cluster IPs': 'clusterIPs', 'IP families': 'ipFamilies' };
  return Object.entries(fields).flatMap(([what, field]) => {
    if (textsOf(spec[field]).length !== 2) return [];
    const why = `must be 'RequireDualStack' or 'PreferDualStack' when multiple ${what} are specified`;
    return [invalidValue(POLICY, SINGLE, why)];
  });
}

/** Families follow from addresses where they are not said. */
function infer(spec: Spec, configured: readonly Family[]): StatusCause[] {
  const all = textsOf(spec['clusterIPs']);
  if (all[0] === 'None') return [];
  const families = [...textsOf(spec['ipFamilies'])];
  const causes: StatusCause[] = [];
  all.forEach((ip, i) => {
    if (i < families.length) return;
    const family = familyOf(ip);
    if (configured.includes(family)) families.push(family);
    else {
      const why = `${family} is not configured on this cluster`;
      causes.push(invalidValue(`spec.clusterIPs[${i}]`, all, why));
    }
  });
  if (families.length > 0) spec['ipFamilies'] = families;
  return causes;
}

function unconfigured(
  spec: Spec,
  wanted: readonly Family[],
  configured: readonly Family[],
): StatusCause[] {
  const causes: StatusCause[] = [];
  if (spec['ipFamilyPolicy'] === REQUIRE && configured.length < 2) {
    const why = 'this cluster is not configured for dual-stack services';
    causes.push(invalidValue(POLICY, REQUIRE, why));
  }
  wanted.forEach((family, i) => {
    if (configured.includes(family)) return;
    causes.push(invalidValue(`spec.ipFamilies[${i}]`, family, 'not configured on this cluster'));
  });
  return causes;
}
