// Where a server behind a service listens, an extension server or a webhook: a ready endpoint, drawn at random, as
// upstream's endpoint resolver finds it (util/proxy of k8s.io/apiserver v0.37).
import type { KubeObject } from '#kube/meta/object.ts';
import type { ObjectLookup } from '#kube/apiserver/object-lookup.ts';

export interface ServicePlace {
  readonly namespace: string;
  readonly name: string;
  readonly port: number;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface SlicePort {
  readonly name?: string;
  readonly port?: number;
}

export interface SliceEndpoint {
  readonly addresses?: readonly string[];
  readonly conditions?: { readonly ready?: boolean };
}

export const SERVICE_LABEL = 'kubernetes.io/service-name';

export const isReady = ({ conditions }: SliceEndpoint): boolean => conditions?.ready !== false;

export async function slicesOf(
  lookup: ObjectLookup,
  { namespace, name }: ServicePlace,
): Promise<readonly KubeObject[]> {
  const all = await lookup.list('discovery.k8s.io', 'endpointslices', namespace);
  return all.filter(({ metadata }) => metadata.labels?.[SERVICE_LABEL] === name);
}

export interface ServicePort {
  readonly port: number;
  readonly name?: string;
}

export function servicePort(service: KubeObject, port: number): ServicePort | undefined {
  const ports = (service['spec']?.ports ?? []) as readonly ServicePort[];
  return ports.find((one) => one.port === port);
}

function candidates(slices: readonly KubeObject[], portName: string): Address[] {
  return slices.flatMap((slice) => {
    const ports = (slice['ports'] ?? []) as readonly SlicePort[];
    const port = ports.find((one) => (one.name ?? '') === portName)?.port;
    if (port === undefined) return [];
    const endpoints = (slice['endpoints'] ?? []) as readonly SliceEndpoint[];
    return endpoints.filter(isReady).flatMap(({ addresses = [] }) => {
      const [host] = addresses;
      return host === undefined ? [] : [{ host, port }];
    });
  });
}

/** Throws an Error in upstream's words. `draw`: uniform in [0, 1). */
export async function resolveEndpoint(
  lookup: ObjectLookup,
  place: ServicePlace,
  draw: () => number,
): Promise<Address> {
  const { namespace, name, port } = place;
  const service = await lookup.get('', 'services', namespace, name);
  if (service === undefined) throw new Error(`service "${name}" not found`);
  const spec = service['spec'] as { type?: string; externalName?: string };
  if (spec.type === 'ExternalName') return { host: spec.externalName ?? '', port };
  const found = servicePort(service, port);
  if (found === undefined) {
    throw new Error(`no service port ${port} found for service ${JSON.stringify(name)}`);
  }
  const all = candidates(await slicesOf(lookup, place), found.name ?? '');
  const one = all[Math.floor(draw() * all.length)];
  if (one === undefined) {
    throw new Error(`no endpoints available for service ${JSON.stringify(name)}`);
  }
  return one;
}
