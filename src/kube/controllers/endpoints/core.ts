// Decides which addresses stand behind a service: an EndpointSlice, and the older Endpoints. Pure.
import type { KubeObject } from '#kube/meta/object.ts';
import { isPodOver, isPodReady } from '#kube/controllers/pods.ts';

interface ServicePort {
  readonly name?: string;
  readonly protocol?: string;
  readonly port: number;
  readonly targetPort?: number | string;
  readonly appProtocol?: string;
}

interface ContainerPort {
  readonly name?: string;
  readonly containerPort: number;
  readonly protocol?: string;
}

/** The number of a service's port on one pod; undefined when the pod has no port of that name. */
export function targetPort(pod: KubeObject, port: ServicePort): number | undefined {
  const wanted = port.targetPort ?? port.port;
  if (typeof wanted === 'number') return wanted;
  for (const container of (pod['spec']?.containers ?? []) as {
    ports?: readonly ContainerPort[];
  }[]) {
    const found = (container.ports ?? []).find(
      (one) => one.name === wanted && (one.protocol ?? 'TCP') === (port.protocol ?? 'TCP'),
    );
    if (found !== undefined) return found.containerPort;
  }
  return undefined;
}

export function podsOfService(service: KubeObject, pods: readonly KubeObject[]): KubeObject[] {
  const selector = Object.entries((service['spec']?.selector ?? {}) as Record<string, string>);
  return pods
    .filter((pod) => selector.every(([key, value]) => pod.metadata.labels?.[key] === value))
    .filter((pod) => pod['status']?.podIP !== undefined && !isPodOver(pod))
    .sort((a, b) => ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1));
}

function targetRef(pod: KubeObject) {
  const { namespace, name, uid } = pod.metadata;
  return { kind: 'Pod', namespace, name, uid };
}

/** What the slice of a service says, beside its metadata. */
export function sliceOf(service: KubeObject, pods: readonly KubeObject[]) {
  const ports = (service['spec']?.ports ?? []) as readonly ServicePort[];
  const mine = podsOfService(service, pods);
  const first = mine[0];
  const publishesUnready = service['spec']?.publishNotReadyAddresses === true;
  return {
    addressType: 'IPv4',
    ports: ports.flatMap((port) => {
      const number =
        first === undefined
          ? typeof port.targetPort === 'number'
            ? port.targetPort
            : port.port
          : targetPort(first, port);
      return number === undefined
        ? []
        : [{ name: port.name ?? '', protocol: port.protocol ?? 'TCP', port: number }];
    }),
    endpoints: mine.map((pod) => {
      const terminating = pod.metadata.deletionTimestamp !== undefined;
      const serving = isPodReady(pod);
      const ready = (serving || publishesUnready) && !terminating;
      return {
        addresses: [String(pod['status'].podIP)],
        conditions: { ready, serving, terminating },
        nodeName: pod['spec']?.nodeName,
        targetRef: targetRef(pod),
      };
    }),
  };
}

export function subsetsOf(service: KubeObject, pods: readonly KubeObject[]) {
  const slice = sliceOf(service, pods);
  if (slice.endpoints.length === 0) return [];
  const address = (one: (typeof slice.endpoints)[number]) => ({
    ip: one.addresses[0],
    nodeName: one.nodeName,
    targetRef: one.targetRef,
  });
  const ready = slice.endpoints.filter((one) => one.conditions.ready).map(address);
  const notReady = slice.endpoints
    .filter((one) => !one.conditions.ready && !one.conditions.terminating)
    .map(address);
  if (ready.length + notReady.length === 0) return [];
  const ports = slice.ports.map(({ name, ...rest }) => (name === '' ? rest : { name, ...rest }));
  return [
    {
      ...(ready.length > 0 ? { addresses: ready } : {}),
      ...(notReady.length > 0 ? { notReadyAddresses: notReady } : {}),
      ...(ports.length > 0 ? { ports } : {}),
    },
  ];
}
