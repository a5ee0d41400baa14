// All objects of a few kinds, kept by watches on the store, for what is asked at every request: admission's
// own configuration, access, priorities.
import type { KubeObject } from '#kube/meta/object.ts';
import type { Log } from '#env/env.ts';
import type { Store } from '#store/store.ts';
import { followObjects } from './followed-objects.ts';

export interface CachedResource {
  readonly group: string;
  readonly resource: string;
}

export class ObjectCache {
  readonly #objects = new Map<string, Map<string, KubeObject>>();
  readonly #watches: { cancel(): void }[] = [];
  readonly #listeners = new Set<() => void>();
  readonly #sorted = new Map<string, readonly KubeObject[]>();

  static async start(
    from: { readonly store: Store; readonly log: Log },
    resources: readonly CachedResource[],
  ): Promise<ObjectCache> {
    const cache = new ObjectCache();
    for (const one of resources) await cache.#follow(from, one);
    return cache;
  }

  async #follow(from: { store: Store; log: Log }, which: CachedResource): Promise<void> {
    const found = new Map<string, KubeObject>();
    this.#objects.set(which.resource, found);
    const follower = {
      put: (key: string, object: KubeObject) => found.set(key, object),
      gone: (key: string) => found.delete(key),
      changed: () => {
        this.#sorted.delete(which.resource);
        for (const listener of this.#listeners) listener();
      },
    };
    this.#watches.push(await followObjects(from, which, follower));
  }

  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** In the order of their names. */
  all(resource: string): readonly KubeObject[] {
    let sorted = this.#sorted.get(resource);
    if (sorted === undefined) {
      const entries = [...(this.#objects.get(resource) ?? [])];
      sorted = entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
      this.#sorted.set(resource, sorted);
    }
    return sorted;
  }

  /** `key` is the name, or namespace/name. */
  get(resource: string, key: string): KubeObject | undefined {
    return this.#objects.get(resource)?.get(key);
  }

  close(): void {
    for (const watch of this.#watches) watch.cancel();
  }
}
