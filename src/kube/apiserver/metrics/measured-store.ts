// A store whose requests are counted and timed, by the resource that their keys are of; writes are as large as etcd
// takes them.
import type { KeyValue, RangeOptions, RangeResult, Revision, Store } from '#store/store.ts';
import type { StoreWatcher, Txn, TxnResult } from '#store/store.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { resourcePrefix } from '#kube/apiserver/object-store.ts';
import { checkSize } from '#store/request-size.ts';
import type { InternalMetrics } from './internals.ts';

type Kind = readonly [group: string, resource: string];

const ROOT = '/registry/';
const other: Kind = ['', 'other'];
/** Of the resources that are served, by the prefix of their keys; others by what their keys look like. */
export function kindsOf(resources: readonly ResourceInfo[]): (key: string) => Kind {
  const known = new Map<string, Kind>(
    resources.map(({ group, resource }) => [
      resourcePrefix({ group, resource }),
      [group, resource],
    ]),
  );
  return (key) => {
    if (!key.startsWith(ROOT)) return other;
    const first = key.indexOf('/', ROOT.length) + 1;
    if (first === 0) return other;
    const second = key.indexOf('/', first) + 1;
    const long = second === 0 ? undefined : known.get(key.slice(0, second));
    const found = long ?? known.get(key.slice(0, first));
    if (found !== undefined) return found;
    const head = key.slice(ROOT.length, first - 1);
    const isGroup = head.includes('.') && second > 0;
    return isGroup ? [head, key.slice(first, second - 1)] : ['', head];
  };
}

function operationOf({ compare, then }: Txn): string {
  if (then.some(({ kind }) => kind === 'delete')) return 'delete';
  const [first] = compare;
  return first === undefined || first.equals === 0 ? 'create' : 'update';
}

export class MeasuredStore implements Store {
  readonly #store: Store;
  readonly #metrics: InternalMetrics;
  readonly #kindOf: (key: string) => Kind;
  readonly #now: () => number;

  constructor(
    store: Store,
    metrics: InternalMetrics,
    { kindOf, now }: { readonly kindOf: (key: string) => Kind; readonly now: () => number },
  ) {
    this.#store = store;
    this.#metrics = metrics;
    this.#kindOf = kindOf;
    this.#now = now;
  }

  async #timed<T>(operation: string, key: string, work: Promise<T>): Promise<T> {
    const startedAt = this.#now();
    const kind = this.#kindOf(key);
    try {
      return await work;
    } catch (error) {
      this.#metrics.failedToStore(operation, kind);
      throw error;
    } finally {
      this.#metrics.stored(operation, kind, (this.#now() - startedAt) / 1_000);
    }
  }

  get isShared(): boolean {
    return this.#store.isShared === true;
  }

  revision(): Revision {
    return this.#store.revision();
  }

  compactRevision(): Revision {
    return this.#store.compactRevision();
  }

  async current(): Promise<Revision> {
    return await this.#store.current();
  }

  async get(
    key: string,
    options?: { readonly isStaleOk?: boolean },
  ): Promise<KeyValue | undefined> {
    return await this.#timed('get', key, this.#store.get(key, options));
  }

  async range(options: RangeOptions): Promise<RangeResult> {
    return await this.#timed('list', options.start, this.#store.range(options));
  }

  async txn(txn: Txn): Promise<TxnResult> {
    checkSize(txn, this.isShared);
    const key = txn.then[0]?.key ?? txn.compare[0]?.key ?? '';
    return await this.#timed(operationOf(txn), key, this.#store.txn(txn));
  }

  watch(
    options: { start: string; end: string; startRevision: Revision },
    watcher: StoreWatcher,
  ): { cancel(): void } {
    return this.#store.watch(options, watcher);
  }

  async sizes(): Promise<readonly number[]> {
    return (await this.#store.sizes?.()) ?? [];
  }

  async compact(revision: Revision): Promise<void> {
    await this.#store.compact(revision);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]();
  }
}
