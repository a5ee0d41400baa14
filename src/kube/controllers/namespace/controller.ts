// Namespaces that are going: everything in them is deleted, then the namespace itself.
import type { KubeObject } from '#kube/meta/object.ts';
import { hasCode } from '#kube/client/api-call.ts';
import {
  keyOf,
  WorkQueue,
  type Controller,
  type ControllerServices,
} from '#kube/controllers/controller.ts';

interface ApiResource {
  readonly name: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
}

const RETRY_MS = 300;

/** Paths of all namespaced resources that can be listed and deleted, by discovery. */
async function namespacedPaths({ client }: ControllerServices): Promise<string[]> {
  const groups = (await client.call({ method: 'GET', path: '/apis' })) as {
    groups: { preferredVersion: { groupVersion: string } }[];
  };
  const roots = [
    '/api/v1',
    ...groups.groups.map((one) => `/apis/${one.preferredVersion.groupVersion}`),
  ];
  const found: string[] = [];
  for (const root of roots) {
    const list = (await client.call({ method: 'GET', path: root })) as {
      resources: readonly ApiResource[];
    };
    for (const { name, namespaced, verbs } of list.resources) {
      const isUsable = verbs.includes('list') && verbs.includes('delete');
      if (namespaced && isUsable && !name.includes('/')) found.push(`${root}|${name}`);
    }
  }
  return found;
}

export function namespaceController(services: ControllerServices): Controller {
  const { client, env, cache } = services;
  const namespaces = cache('/api/v1/namespaces');

  /** How many objects are still there. */
  const emptyOut = async (namespace: string): Promise<number> => {
    let left = 0;
    for (const place of await namespacedPaths(services)) {
      const [root, resource] = place.split('|');
      const path = `${root}/namespaces/${namespace}/${resource}`;
      const list = (await client.call({ method: 'GET', path })) as { items: readonly KubeObject[] };
      for (const { metadata } of list.items) {
        left += 1;
        if (metadata.deletionTimestamp !== undefined) continue;
        const body = { propagationPolicy: 'Background' };
        await client
          .call({ method: 'DELETE', path: `${path}/${metadata.name}`, body })
          .catch((error: unknown) => {
            if (!hasCode(error, 404, 409, 405)) throw error;
          });
      }
    }
    return left;
  };

  const queue = new WorkQueue(
    'namespace',
    async (name) => {
      const namespace = namespaces.get(name);
      if (namespace?.metadata.deletionTimestamp === undefined) return;
      const finalizers = (namespace['spec']?.finalizers ?? []) as string[];
      if (!finalizers.includes('kubernetes')) return;
      const left = await emptyOut(name);
      if (left > 0) return { againInMs: RETRY_MS };
      const spec = {
        ...namespace['spec'],
        finalizers: finalizers.filter((one) => one !== 'kubernetes'),
      };
      await client.call({
        method: 'PUT',
        path: `/api/v1/namespaces/${name}/finalize`,
        body: { ...namespace, spec },
      });
      return;
    },
    env,
  );
  namespaces.onChange((one) => queue.add(keyOf(one)));
  return {
    name: 'namespace',
    queue,
    needs: [namespaces],
    keys: () => namespaces.list().map(keyOf),
  };
}
