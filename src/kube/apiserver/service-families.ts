// Which families of addresses a service may ask for on a server with ranges of IPv4 alone: looked at before any
// address is taken (pkg/registry/core/service/storage/alloc.go of kubernetes v1.37).
import { isIP } from 'node:net';
import { invalidValue } from '#kube/meta/names.ts';
import type { StatusCause } from '#kube/meta/status.ts';
import { clusterAddresses, families } from '#kube/meta/validation-network.ts';

type Spec = Record<string, unknown>;

const textsOf = (value: unknown): readonly string[] =>
  Array.isArray(value) ? (value as string[]) : [];

/** Without an address and without a selector it is for whoever writes the endpoints: of both families. */
const isOpen = ({ clusterIP, selector }: Spec): boolean =>
  clusterIP === 'None' && Object.keys((selector ?? {}) as object).length === 0;

/** What is wrong with the families; `before` is the spec of a service that is there. */
export function familyCauses(spec: Spec, before: Spec | undefined): readonly StatusCause[] {
  const given = spec['clusterIP'];
  const listed = textsOf(spec['clusterIPs']);
  const ips = listed.length === 0 && typeof given === 'string' && given !== '' ? [given] : listed;
  // What is no address or no family is told with everything else.
  const whole = { ...spec, clusterIPs: ips };
  if (clusterAddresses(whole).length > 0 || families(spec).length > 0) return [];
  const policy =
    spec['ipFamilyPolicy'] ??
    before?.['ipFamilyPolicy'] ??
    (isOpen(spec) ? 'RequireDualStack' : 'SingleStack');
  const wanted = textsOf(spec['ipFamilies']);
  const at = 'spec.ipFamilyPolicy';
  const single = (what: string): StatusCause =>
    invalidValue(
      at,
      policy,
      `must be 'RequireDualStack' or 'PreferDualStack' when multiple ${what} are specified`,
    );
  const causes: StatusCause[] = [];
  if (policy === 'SingleStack' && ips.length === 2) causes.push(single('cluster IPs'));
  if (policy === 'SingleStack' && wanted.length === 2) causes.push(single('IP families'));
  ips.forEach((ip, i) => {
    if (isIP(ip) !== 6 || i < wanted.length) return;
    const why = 'IPv6 is not configured on this cluster';
    causes.push(invalidValue(`spec.clusterIPs[${i}]`, ips, why));
  });
  if (causes.length > 0 || isOpen(spec)) return causes;
  if (policy === 'RequireDualStack') {
    causes.push(invalidValue(at, policy, 'this cluster is not configured for dual-stack services'));
  }
  wanted.forEach((family, i) => {
    if (family === 'IPv4') return;
    causes.push(invalidValue(`spec.ipFamilies[${i}]`, family, 'not configured on this cluster'));
  });
  return causes;
}
