// Decides which slices mirror Endpoints that somebody else than a controller keeps, so that whoever reads
// only slices finds them too. As upstream's endpointslicemirroring v1.37. Pure.
import { endpointSlices } from '#kube/client/resources.ts';
import type { Decision } from '#kube/controllers/effects.ts';
import {
  MANAGED_BY,
  SERVICE_NAME,
  settleSlices,
  type WantedSlice,
} from '#kube/controllers/endpoints/slices.ts';
import { isControlledBy } from '#kube/controllers/owners.ts';
import { canonicalAddress } from '#kube/meta/ip-ranges.ts';
import type { KubeObject } from '#kube/meta/object.ts';

export const MIRROR = 'endpointslicemirroring-controller.k8s.io';
const SKIP = 'endpointslice.kubernetes.io/skip-mirror';
const LEADER = 'control-plane.alpha.kubernetes.io/leader';
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
const SUBSET_MAX = 1_000;

export interface MirrorSnapshot {
  /** Of the same name; what has a selector is served by the endpoints controller. */
  readonly service: KubeObject | undefined;
  readonly endpoints: KubeObject | undefined;
  /** Those of this controller with the service's name. */
  readonly slices: readonly KubeObject[];
}

interface Address {
  readonly ip: string;
  readonly hostname?: string;
  readonly nodeName?: string;
  readonly targetRef?: object;
}

interface Subset {
  readonly addresses?: readonly Address[];
  readonly notReadyAddresses?: readonly Address[];
  readonly ports?: readonly { readonly name?: string; readonly protocol?: string }[];
}

function mirrored({ service, endpoints }: MirrorSnapshot): KubeObject | undefined {
  if (service === undefined || service['spec']?.selector !== undefined) return undefined;
  const { labels, annotations } = endpoints?.metadata ?? {};
  const isKept = labels?.[SKIP] === 'true' || annotations?.[LEADER] !== undefined;
  return isKept ? undefined : endpoints;
}

function endpointOf({ ip, hostname, nodeName, targetRef }: Address, ready: boolean): object {
  return {
    // Slices take one form alone.
    addresses: [canonicalAddress(ip)],
    conditions: { ready },
    ...(hostname === undefined || hostname === '' ? {} : { hostname }),
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(targetRef === undefined ? {} : { targetRef }),
  };
}

function slicesOf({ addresses = [], notReadyAddresses = [], ports = [] }: Subset): WantedSlice[] {
  const named = ports.map((port) => ({ name: '', protocol: 'TCP', ...port }));
  const all = [
    ...addresses.map((one) => ({ ip: one.ip, endpoint: endpointOf(one, true) })),
    ...notReadyAddresses.map((one) => ({ ip: one.ip, endpoint: endpointOf(one, false) })),
  ].slice(0, SUBSET_MAX);
  return (['IPv4', 'IPv6'] as const).flatMap((addressType) => {
    const endpoints = all
      .filter(({ ip }) => ip.includes(':') === (addressType === 'IPv6'))
      .map(({ endpoint }) => endpoint);
    return endpoints.length === 0 ? [] : [{ addressType, ports: named, endpoints }];
  });
}

export function mirrorEndpoints(snapshot: MirrorSnapshot): Decision {
  const { slices } = snapshot;
  const owner = mirrored(snapshot);
  if (owner === undefined) {
    return {
      effects: slices.map((object) => ({ kind: 'delete', resource: endpointSlices, object })),
    };
  }
  const { name = '', labels, annotations: all = {} } = owner.metadata;
  const { [LAST_APPLIED]: _applied, ...annotations } = all;
  // Slices of Endpoints that were there before go with their owner.
  const own = slices.filter((slice) => isControlledBy(slice, owner));
  const wanted = ((owner['subsets'] ?? []) as readonly Subset[]).flatMap(slicesOf);
  const marks = { [SERVICE_NAME]: name, [MANAGED_BY]: MIRROR };
  return {
    effects: settleSlices({
      owner,
      own,
      wanted,
      labels: { ...labels, ...marks },
      annotations,
      areAnnotationsCompared: true,
    }),
  };
}
