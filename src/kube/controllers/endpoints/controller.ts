// Keeps one EndpointSlice and one Endpoints object for each service with a selector.
import type { KubeObject } from '#kube/meta/object.ts';
import { hasCode } from '#kube/client/api-call.ts';
import {
  keyOf,
  ownerReference,
  splitKey,
  WorkQueue,
  type Controller,
  type ControllerServices,
} from '#kube/controllers/controller.ts';
import { sliceOf, subsetsOf } from './core.ts';

const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';

export function endpointsController(services: ControllerServices): Controller {
  const { client, env, cache } = services;
  const all = cache('/api/v1/services');
  const pods = cache('/api/v1/pods');
  const slices = cache('/apis/discovery.k8s.io/v1/endpointslices');
  const endpoints = cache('/api/v1/endpoints');

  const write = async (
    path: string,
    existing: KubeObject | undefined,
    wanted: Record<string, unknown>,
  ): Promise<void> => {
    if (existing === undefined) {
      await client.call({ method: 'POST', path, body: wanted });
      return;
    }
    const isSame = Object.entries(wanted).every(
      ([key, value]) =>
        key === 'metadata' ||
        JSON.stringify(existing[key] ?? []) === JSON.stringify(JSON.parse(JSON.stringify(value))),
    );
    if (isSame) return;
    const body = { ...existing, ...wanted, metadata: existing.metadata };
    await client.call({ method: 'PUT', path: `${path}/${existing.metadata.name}`, body });
  };

  const queue = new WorkQueue(
    'endpoints',
    async (key) => {
      const service = all.get(key);
      const { namespace, name } = splitKey(key);
      if (service === undefined) {
        const path = `/api/v1/namespaces/${namespace}/endpoints/${name}`;
        if (endpoints.get(key) !== undefined)
          await client.call({ method: 'DELETE', path }).catch(ignore404);
        return;
      }
      if (
        service['spec']?.selector === undefined ||
        service.metadata.deletionTimestamp !== undefined
      )
        return;
      const mine = pods.list(namespace);
      const labels = {
        ...service.metadata.labels,
        'kubernetes.io/service-name': name,
        [MANAGED_BY]: 'endpointslice-controller.k8s.io',
      };
      const slice = {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: {
          generateName: `${name}-`,
          namespace,
          labels,
          ownerReferences: [ownerReference(service)],
        },
        ...sliceOf(service, mine),
      };
      const existing = slices
        .list(namespace)
        .find(
          ({ metadata }) =>
            metadata.labels?.['kubernetes.io/service-name'] === name &&
            metadata.labels[MANAGED_BY] !== undefined,
        );
      await write(
        `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`,
        existing,
        slice,
      );
      const whole = {
        apiVersion: 'v1',
        kind: 'Endpoints',
        metadata: {
          name,
          namespace,
          ...(service.metadata.labels === undefined ? {} : { labels: service.metadata.labels }),
        },
        subsets: subsetsOf(service, mine),
      };
      await write(`/api/v1/namespaces/${namespace}/endpoints`, endpoints.get(key), whole);
    },
    env,
  );
  all.onChange((service) => queue.add(keyOf(service)));
  slices.onChange((slice, isGone) => {
    const name = slice.metadata.labels?.['kubernetes.io/service-name'];
    if (isGone && name !== undefined) queue.add(`${slice.metadata.namespace}/${name}`);
  });
  pods.onChange((pod) => {
    for (const service of all.list(pod.metadata.namespace)) {
      const selector = Object.entries((service['spec']?.selector ?? {}) as Record<string, string>);
      const isMine =
        selector.length > 0 &&
        selector.every(([key, value]) => pod.metadata.labels?.[key] === value);
      if (isMine) queue.add(keyOf(service));
    }
  });
  return {
    name: 'endpoints',
    queue,
    needs: [all, pods, slices, endpoints],
    keys: () => all.list().map(keyOf),
  };
}

function ignore404(error: unknown): void {
  if (!hasCode(error, 404)) throw error;
}
