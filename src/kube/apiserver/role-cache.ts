// Roles and bindings as they are now, kept by a watch on the store, so that authorizing costs no reads.
import type { KubeObject } from '#kube/meta/object.ts';
import { prefixEnd, type Store } from '#store/store.ts';
import { objectOf, resourcePrefix } from './object-store.ts';
import type { RoleSource } from './rbac.ts';

const group = 'rbac.authorization.k8s.io';

export class RoleCache implements RoleSource {
  readonly #objects = new Map<string, Map<string, KubeObject>>();
  readonly #watches: { cancel(): void }[] = [];

  static async start(store: Store): Promise<RoleCache> {
    const cache = new RoleCache();
    for (const resource of ['roles', 'clusterroles', 'rolebindings', 'clusterrolebindings']) {
      await cache.#follow(store, resource);
    }
    return cache;
  }

  async #follow(store: Store, resource: string): Promise<void> {
    const start = resourcePrefix({ group, resource });
    const end = prefixEnd(start);
    const found = new Map<string, KubeObject>();
    this.#objects.set(resource, found);
    const { items, revision } = await store.range({ start, end });
    for (const kv of items) found.set(kv.key.slice(start.length), objectOf(kv));
    const watch = store.watch(
      { start, end, startRevision: revision + 1 },
      {
        onEvents: (events) => {
          for (const event of events) {
            if (event.kind === 'put')
              found.set(event.kv.key.slice(start.length), objectOf(event.kv));
            else found.delete(event.key.slice(start.length));
          }
        },
        onEnd: () => {},
      },
    );
    this.#watches.push(watch);
  }

  role(namespace: string, name: string): KubeObject | undefined {
    return this.#objects.get('roles')?.get(`${namespace}/${name}`);
  }

  clusterRole(name: string): KubeObject | undefined {
    return this.#objects.get('clusterroles')?.get(name);
  }

  roleBindings(namespace: string): readonly KubeObject[] {
    const prefix = `${namespace}/`;
    const all = this.#objects.get('rolebindings') ?? new Map<string, KubeObject>();
    return [...all].filter(([key]) => key.startsWith(prefix)).map(([, binding]) => binding);
  }

  clusterRoleBindings(): readonly KubeObject[] {
    return [...(this.#objects.get('clusterrolebindings')?.values() ?? [])];
  }

  close(): void {
    for (const watch of this.#watches) watch.cancel();
  }
}
