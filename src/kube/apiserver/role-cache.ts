// Roles and bindings as they are now, kept by a watch on the store, so that authorizing costs no reads.
import type { KubeObject } from '#kube/meta/object.ts';
import type { Log } from '#env/env.ts';
import type { Store } from '#store/store.ts';
import { followObjects } from './followed-objects.ts';
import type { RoleSource } from './rbac.ts';

const group = 'rbac.authorization.k8s.io';

export class RoleCache implements RoleSource {
  readonly #objects = new Map<string, Map<string, KubeObject>>();
  readonly #watches: { cancel(): void }[] = [];

  static async start(store: Store, log: Log): Promise<RoleCache> {
    const cache = new RoleCache();
    for (const resource of ['roles', 'clusterroles', 'rolebindings', 'clusterrolebindings']) {
      await cache.#follow({ store, log }, resource);
    }
    return cache;
  }

  async #follow(from: { store: Store; log: Log }, resource: string): Promise<void> {
    const found = new Map<string, KubeObject>();
    this.#objects.set(resource, found);
    const follower = {
      put: (key: string, object: KubeObject) => found.set(key, object),
      gone: (key: string) => found.delete(key),
    };
    this.#watches.push(await followObjects(from, { group, resource }, follower));
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
