// The store in memory: for simulation and tests. A write is done when it is made.
import { StoreIndex } from './index-core.ts';
import type {
  KeyValue,
  RangeOptions,
  RangeResult,
  Revision,
  Store,
  StoreWatcher,
  Txn,
  TxnResult,
} from './store.ts';

export class MemoryStore implements Store {
  readonly #index = new StoreIndex();

  revision(): Revision {
    return this.#index.revision;
  }

  compactRevision(): Revision {
    return this.#index.compacted;
  }

  async current(): Promise<Revision> {
    return this.#index.revision;
  }

  async get(key: string): Promise<KeyValue | undefined> {
    return this.#index.get(key);
  }

  async range(options: RangeOptions): Promise<RangeResult> {
    return this.#index.range(options);
  }

  async txn(txn: Txn): Promise<TxnResult> {
    const next = this.#index.revision + 1;
    const { result, changes } = this.#index.evaluate(txn, new Map(), next);
    if (changes.length > 0) this.#index.apply(next, changes);
    return result;
  }

  watch(
    options: { start: string; end: string; startRevision: Revision },
    watcher: StoreWatcher,
  ): { cancel(): void } {
    return this.#index.watch(options, watcher);
  }

  async compact(revision: Revision): Promise<void> {
    this.#index.compact(revision);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#index.end();
  }
}
