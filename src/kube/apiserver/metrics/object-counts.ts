// How many objects of each kind there are and how large the store is, counted at most once a minute, when somebody
// looks.
import { resourcePrefix } from '#kube/apiserver/object-store.ts';
import type { ResourceRegistry } from '#kube/meta/resource-info.ts';
import { prefixEnd, type Store } from '#store/store.ts';
import { Gauge } from './metric-set.ts';

const INTERVAL_MS = 60_000;

type Count = readonly [values: readonly [group: string, resource: string], value: number];

export class ObjectCounts {
  readonly #store: Store;
  readonly #registry: ResourceRegistry;
  readonly #now: () => number;
  #counts: readonly Count[] = [];
  #countedAt = Number.NEGATIVE_INFINITY;
  readonly #gauge = new Gauge(
    'apiserver_resource_objects',
    ['group', 'resource'],
    () => this.#counts,
  );
  readonly #sizes = new Gauge('apiserver_storage_size_bytes', ['storage_cluster_id'], () =>
    this.#bytes.map((one, i) => [[`etcd-${i}`], one] as const),
  );
  #bytes: readonly number[] = [];

  /** `now` in ms, never going back. */
  constructor(store: Store, registry: ResourceRegistry, now: () => number) {
    this.#store = store;
    this.#registry = registry;
    this.#now = now;
  }

  /** As of some moment of the last minute. */
  async lines(): Promise<string[]> {
    if (this.#now() - this.#countedAt >= INTERVAL_MS) {
      this.#countedAt = this.#now();
      this.#counts = await this.#count();
      this.#bytes = (await this.#store.sizes?.()) ?? [];
    }
    return [...this.#gauge.lines(), ...this.#sizes.lines()];
  }

  async #count(): Promise<Count[]> {
    const kinds = new Map(
      this.#registry
        .all()
        .filter(({ verbs }) => verbs.includes('list'))
        .map(({ group, resource }) => [`${group}/${resource}`, { group, resource }]),
    );
    const counts: Count[] = [];
    for (const kind of kinds.values()) {
      const start = resourcePrefix(kind);
      const { items, remaining } = await this.#store.range({
        start,
        end: prefixEnd(start),
        limit: 1,
        isStaleOk: true,
      });
      counts.push([[kind.group, kind.resource], items.length + remaining]);
    }
    return counts;
  }
}
