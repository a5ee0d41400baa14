// Addresses of services and the objects that stand for them are brought together again where they do not agree
// (kubernetes v1.37, pkg/registry/core/service/ipallocator/controller/repairip.go); node ports that two services
// have, or that are out of range, are told (portallocator/controller/repair.go). Pure.
import { nothing, type Decision, type Effect } from '#kube/controllers/effects.ts';
import { ipAddresses } from '#kube/client/resources.ts';
import { addressProblem, canonicalAddress, familyOf, holdsAddress } from '#kube/meta/ip-ranges.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import {
  ADDRESS_MANAGER,
  addressObject,
  clusterIpsOf,
  IP_FAMILY,
  MANAGED_BY,
  NODE_PORTS,
  nodePortsOf,
} from '#kube/meta/service-addresses.ts';

/** An address may be made before its service is seen. */
const GRACE_MS = 60_000;
/** A service that has just come back may be seen before its new address is. */
const RECREATED_MS = 5_000;

interface Parent {
  readonly group?: string;
  readonly resource?: string;
  readonly namespace?: string;
  readonly name?: string;
}

const parentOf = (address: KubeObject): Parent => (address['spec']?.parentRef ?? {}) as Parent;
const isService = ({ group = '', resource }: Parent): boolean =>
  group === '' && resource === 'services';

const remade = (address: KubeObject, service: KubeObject): Effect[] => [
  { kind: 'delete', resource: ipAddresses, object: address },
  {
    kind: 'create',
    resource: ipAddresses,
    object: addressObject(address.metadata.name ?? '', service),
  },
];

const isLabelled = ({ metadata: { name = '', labels = {} } }: KubeObject): boolean =>
  labels[MANAGED_BY] === ADDRESS_MANAGER && labels[IP_FAMILY] === familyOf(name);

/** By the names of their objects. */
const addressesOf = (service: KubeObject): readonly string[] =>
  clusterIpsOf(service)
    .filter((ip) => addressProblem(ip) === undefined)
    .map(canonicalAddress);

export interface Known {
  readonly cidrs: readonly string[];
  readonly address: (ip: string) => KubeObject | undefined;
  readonly service: (namespace: string, name: string) => KubeObject | undefined;
}

/** Each address of the service has an object that says so. */
export function reconcileService(service: KubeObject, known: Known): Decision {
  const { namespace = '', name = '' } = service.metadata;
  const effects = addressesOf(service).flatMap((ip): Effect[] => {
    const family = familyOf(ip);
    const warn = (reason: string, message: string): Effect => ({
      kind: 'event',
      about: service,
      type: 'Warning',
      reason,
      message,
    });
    if (!known.cidrs.some((cidr) => holdsAddress(cidr, ip))) {
      const why = 'is not within any configured Service CIDR; please recreate service';
      return [warn('ClusterIPOutOfRange', `Cluster IP [${family}]: ${ip} ${why}`)];
    }
    const address = known.address(ip);
    if (address === undefined) {
      const why = 'is not allocated; repairing';
      return [
        warn('ClusterIPNotAllocated', `Cluster IP [${family}]: ${ip} ${why}`),
        { kind: 'create', resource: ipAddresses, object: addressObject(ip, service) },
      ];
    }
    const parent = parentOf(address);
    const isOwn = parent.namespace === namespace && parent.name === name;
    const other = isOwn ? service : known.service(parent.namespace ?? '', parent.name ?? '');
    if (!isService(parent) || other === undefined) {
      const why = `for Service ${namespace}/${name} has a wrong reference; repairing`;
      const told = warn('ClusterIPNotAllocated', `the ClusterIP [${family}]: ${ip} ${why}`);
      return [told, ...remade(address, service)];
    }
    if (!isOwn && addressesOf(other).includes(ip)) {
      const why = 'was assigned to multiple services; please recreate service';
      return [warn('ClusterIPAlreadyAllocated', `Cluster IP [${family}]:${ip} ${why}`)];
    }
    // Of whom it says it is has another one: that goes by itself (reconcileAddress), and is made again then.
    return isLabelled(address) ? [] : remade(address, service);
  });
  return { effects };
}

/** As Go prints the struct. */
const shown = ({ group = '', resource = '', namespace = '', name = '' }: Parent): string =>
  `&{${group} ${resource} ${namespace} ${name}}`;

/** An address that nobody has goes, once nobody can be about to have it. */
export function reconcileAddress(address: KubeObject, known: Known, now: number): Decision {
  const { name = '', labels = {}, creationTimestamp = '' } = address.metadata;
  if (labels[MANAGED_BY] !== ADDRESS_MANAGER) return nothing;
  const gone = (reason: string, message: string): Decision => ({
    effects: [
      { kind: 'event', about: address, type: 'Warning', reason, message },
      { kind: 'delete', resource: ipAddresses, object: address },
    ],
  });
  const parent = parentOf(address);
  if (!isService(parent)) {
    const why = `appears to have been modified, not referencing a Service ${shown(parent)}`;
    return gone('IPAddressNotAllocated', `IPAddress ${name} ${why}: cleaning up`);
  }
  const place = `${parent.namespace ?? ''}/${parent.name ?? ''}`;
  const ageMs = now - Date.parse(creationTimestamp);
  const service = known.service(parent.namespace ?? '', parent.name ?? '');
  if (service === undefined) {
    if (ageMs <= GRACE_MS) return { effects: [], againInMs: GRACE_MS - ageMs + 1 };
    const why = `for Service ${place} appears to have leaked: cleaning up`;
    return gone('IPAddressNotAllocated', `IPAddress: ${name} ${why}`);
  }
  if (addressesOf(service).includes(name)) return nothing;
  if (service['spec']?.type === 'ExternalName' && ageMs < GRACE_MS) {
    return { effects: [], againInMs: GRACE_MS - ageMs };
  }
  // Times are whole seconds: upstream undoes a second address that comes within the first one.
  const isNewer =
    Date.parse(creationTimestamp) >= Date.parse(service.metadata.creationTimestamp ?? '');
  if (isNewer && ageMs < RECREATED_MS) return { effects: [], againInMs: RECREATED_MS };
  const why = `for Service ${place} has a wrong reference; cleaning up`;
  return gone('IPAddressWrongReference', `IPAddress: ${name} ${why}`);
}

/** Who came first keeps the port. */
export function reconcileNodePorts(services: readonly KubeObject[]): Decision {
  const taken = new Set<number>();
  const effects = services.flatMap((service) =>
    [...new Set(nodePortsOf(service['spec'] ?? {}))].flatMap((port): Effect[] => {
      const warn = (reason: string, why: string): Effect[] => [
        { kind: 'event', about: service, type: 'Warning', reason, message: `Port ${port} ${why}` },
      ];
      const { first, last } = NODE_PORTS;
      if (port < first || port > last) {
        const why = `is not within the port range ${first}-${last}; please recreate service`;
        return warn('PortOutOfRange', why);
      }
      if (taken.has(port)) {
        const why = 'was assigned to multiple services; please recreate service';
        return warn('PortAlreadyAllocated', why);
      }
      taken.add(port);
      return [];
    }),
  );
  return { effects };
}
