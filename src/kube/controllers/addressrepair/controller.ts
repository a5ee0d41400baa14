// The repair of addresses and node ports of services: whenever one of them changes, and every three minutes.
import { keyOf } from '#kube/client/informer-store.ts';
import { ipAddresses, serviceCidrs, services as serviceResource } from '#kube/client/resources.ts';
import { nothing } from '#kube/controllers/effects.ts';
import { Controller, type ControllerServices } from '#kube/controllers/frame.ts';
import { canonicalAddress } from '#kube/meta/ip-ranges.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { clusterIpsOf } from '#kube/meta/service-addresses.ts';
import { reconcileAddress, reconcileNodePorts, reconcileService, type Known } from './core.ts';

const INTERVAL_MS = 3 * 60_000;
const SERVICE = 'service:';
const ADDRESS = 'address:';

export function addressRepairController(services: ControllerServices): Controller {
  const all = services.informers.informer(serviceResource);
  const addresses = services.informers.informer(ipAddresses);
  const ranges = services.informers.informer(serviceCidrs);
  const known: Omit<Known, 'cidrs'> = {
    address: (ip) => addresses.get(ip),
    service: (namespace, name) => all.get(`${namespace}/${name}`),
  };
  const cidrs = (): string[] =>
    ranges.list().flatMap((one) => (one['spec']?.cidrs ?? []) as string[]);
  const controller = new Controller(
    {
      name: 'addressrepair',
      component: 'ipallocator-repair-controller',
      needs: [all, addresses, ranges],
      resyncMs: INTERVAL_MS,
      keys: () => [
        ...all.list().map((one) => SERVICE + keyOf(one)),
        ...addresses.list().map((one) => ADDRESS + keyOf(one)),
      ],
      reconcile: (key, now) => {
        if (key.startsWith(SERVICE)) {
          const service = all.get(key.slice(SERVICE.length));
          // Without a range nothing is known of any: the default one is on its way.
          if (service === undefined || ranges.list().length === 0) return nothing;
          return reconcileService(service, { ...known, cidrs: cidrs() });
        }
        const address = addresses.get(key.slice(ADDRESS.length));
        return address === undefined
          ? nothing
          : reconcileAddress(address, { ...known, cidrs: [] }, now);
      },
    },
    services,
  );
  const follow = (prefix: string) => {
    const enqueue = (object: KubeObject): void => controller.enqueue(prefix + keyOf(object));
    return { onAdd: enqueue, onUpdate: (_old: KubeObject, next: KubeObject) => enqueue(next) };
  };
  const ownAddresses = (service: KubeObject): void => {
    for (const ip of clusterIpsOf(service)) controller.enqueue(ADDRESS + canonicalAddress(ip));
  };
  all.addHandler({ ...follow(SERVICE), onDelete: ownAddresses });
  addresses.addHandler({
    ...follow(ADDRESS),
    onDelete: (address) => {
      const { namespace = '', name = '' } = (address['spec']?.parentRef ?? {}) as {
        namespace?: string;
        name?: string;
      };
      controller.enqueue(`${SERVICE}${namespace}/${name}`);
    },
  });
  return controller;
}

/** Looked at whole: who has a port is known only beside all others. */
export function nodePortRepairController(services: ControllerServices): Controller {
  const all = services.informers.informer(serviceResource);
  return new Controller(
    {
      name: 'nodeportrepair',
      component: 'portallocator-repair-controller',
      needs: [all],
      resyncMs: INTERVAL_MS,
      keys: () => ['node ports'],
      reconcile: () => {
        const age = ({ metadata }: KubeObject): string => metadata.creationTimestamp ?? '';
        const oldestFirst = all.list().toSorted((a, b) => (age(a) < age(b) ? -1 : 1));
        return reconcileNodePorts(oldestFirst);
      },
    },
    services,
  );
}
