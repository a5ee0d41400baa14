// How many objects a resource has and how long they are, as lists are judged by it: counted when somebody
// lists, not more often than every ten seconds.
import type { Env } from '#env/env.ts';
import type { TypeRegistry } from '#kube/types/registry.ts';
import { collectionPrefix } from '#kube/apiserver/object-store.ts';
import type { RequestInfo } from '#kube/apiserver/request-info.ts';
import { prefixEnd, type Store } from '#store/store.ts';
import type { ResourceSize } from './work-estimate.ts';

const STALE_MS = 10_000;
/** Of so many objects the length is taken. */
const SAMPLE = 20;

interface Known {
  size: ResourceSize | undefined;
  askedAt: number;
}

export class ResourceSizes {
  readonly #store: Store;
  readonly #registry: TypeRegistry;
  readonly #env: Env;
  readonly #known = new Map<string, Known>();

  constructor({ store, registry }: { store: Store; registry: TypeRegistry }, env: Env) {
    this.#store = store;
    this.#registry = registry;
    this.#env = env;
  }

  of(info: RequestInfo): ResourceSize | undefined {
    const resource = this.#registry.byResource(info.group, info.version, info.resource);
    if (resource === undefined) return undefined;
    const start = collectionPrefix(resource, undefined);
    const now = this.#env.clock.monotonicMs();
    let known = this.#known.get(start);
    if (known === undefined || now - known.askedAt > STALE_MS) {
      known = { size: known?.size, askedAt: now };
      this.#known.set(start, known);
      void this.#count(start, known);
    }
    return known.size;
  }

  async #count(start: string, known: Known): Promise<void> {
    try {
      const options = { start, end: prefixEnd(start), limit: SAMPLE, isStaleOk: true };
      const { items, remaining } = await this.#store.range(options);
      const bytes = items.reduce((sum, { value }) => sum + value.length, 0);
      const bytesMean = items.length === 0 ? 0 : bytes / items.length;
      known.size = { count: items.length + remaining, bytesMean };
    } catch (error) {
      // What was known stays.
      this.#env.log.debug('Cannot count objects', { start, error });
    }
  }
}
