// All objects of a few kinds, kept by watches on the store, for what is asked at every request: admission's
// own configuration, access, priorities.
import type { KubeObject } from '#kube/meta/object.ts';
import { prefixEnd, type Store } from '#store/store.ts';
import { objectOf, resourcePrefix } from './object-store.ts';

export interface CachedResource {
  readonly group: string;
  readonly resource: string;
}

export class ObjectCache {
  readonly #objects = new Map<string, Map<string, KubeObject>>();
  readonly #watches: { cancel(): void }[] = [];
  readonly #listeners = new Set<() => void>();
  readonly #sorted = new Map<string, readonly KubeObject[]>();

  static async start(store: Store, resources: readonly CachedResource[]): Promise<ObjectCache> {
    const cache = new ObjectCache();
    for (const one of resources) await cache.#follow(store, one);
    return cache;
  }

  async #follow(store: Store, which: CachedResource): Promise<void> {
    const start = resourcePrefix(which);
    const end = prefixEnd(start);
    const found = new Map<string, KubeObject>();
    this.#objects.set(which.resource, found);
    const { items, revision } = await store.range({ start, end });
    for (const kv of items) found.set(kv.key.slice(start.length), objectOf(kv));
    const watch = store.watch(
      { start, end, startRevision: revision + 1 },
      {
        onEvents: (events) => {
          for (const event of events) {
            const key = event.kind === 'put' ? event.kv.key : event.key;
            if (event.kind === 'put') found.set(key.slice(start.length), objectOf(event.kv));
            else found.delete(key.slice(start.length));
          }
          this.#sorted.delete(which.resource);
          for (const listener of this.#listeners) listener();
        },
        onEnd: () => {},
      },
    );
    this.#watches.push(watch);
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
