// What of a service is taken: node ports, and the objects that stand for its addresses (kubernetes v1.37).
import { canonicalAddress, familyOf } from './ip-ranges.ts';
import type { KubeObject } from './object.ts';

/** Both ends belong to it. */
export const NODE_PORTS: { readonly first: number; readonly last: number } = {
  first: 30_000,
  last: 32_767,
};

/** Of its ports and of its health checks, as they stand in its spec. */
export function nodePortsOf(spec: Readonly<Record<string, unknown>>): number[] {
  const ports = (spec['ports'] ?? []) as readonly { readonly nodePort?: number }[];
  const checks = spec['healthCheckNodePort'] as number | undefined;
  const all = [...ports.map(({ nodePort }) => nodePort), checks];
  return all.filter((port) => port !== undefined).filter((port) => port !== 0);
}

export const ADDRESS_MANAGER = 'ipallocator.k8s.io';
export const MANAGED_BY = 'ipaddress.kubernetes.io/managed-by';
export const IP_FAMILY = 'ipaddress.kubernetes.io/ip-family';

/** The IPAddress that is there as long as a service has the address: it belongs to the service, by its name. */
export function addressObject(ip: string, { metadata }: KubeObject): KubeObject {
  const { namespace = '', name = '' } = metadata;
  const labels = { [IP_FAMILY]: familyOf(ip), [MANAGED_BY]: ADDRESS_MANAGER };
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'IPAddress',
    metadata: { name: canonicalAddress(ip), labels },
    spec: { parentRef: { resource: 'services', namespace, name } },
  };
}

/** The addresses that a service holds: none of its own when it is headless, or a name. */
export function clusterIpsOf(service: KubeObject): readonly string[] {
  const { clusterIP, clusterIPs, type } = (service['spec'] ?? {}) as {
    clusterIP?: string;
    clusterIPs?: string[];
    type?: string;
  };
  const isSet = clusterIP !== undefined && clusterIP !== '' && clusterIP !== 'None';
  return isSet && type !== 'ExternalName' ? (clusterIPs ?? [clusterIP]) : [];
}
