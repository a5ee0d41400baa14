// Keeps a local copy of a list of objects: lists once, then watches; resumes where it was after an
// interruption, and lists again only when the server no longer has what came since.
import { errorChain } from '#base/fault.ts';
import type { Env, Timer } from '#env/env.ts';
import type { GroupVersionResource, KubeObject } from '#kube/meta/object.ts';
import { ApiError } from '#kube/meta/status.ts';
import type { WatchEvent } from './answers.ts';
import { hasReason, type KubeClient, type Selection } from './client.ts';
import { InformerStore, type Change, type Indexers } from './informer-store.ts';

/**
 * Promises to a handler: per object, calls come in the order of its versions, though versions may be
 * skipped; an object of the same name with another uid is deleted before it is added; calls are
 * synchronous and a handler only enqueues. A handler that is added late is told of what is there.
 */
export interface InformerHandler<T extends KubeObject = KubeObject> {
  onAdd?: ((object: T) => void) | undefined;
  onUpdate?: ((old: T, object: T) => void) | undefined;
  onDelete?: ((object: T, isFinalStateUnknown: boolean) => void) | undefined;
}

export interface InformerOptions<T extends KubeObject = KubeObject> extends Selection {
  readonly resource: GroupVersionResource;
  readonly isMetadataOnly?: boolean | undefined;
  readonly indexers?: Indexers<T> | undefined;
  /** What is kept of an object; by default everything but managedFields. Owns its argument. */
  readonly slim?: ((object: T) => T) | undefined;
}

const BACK_OFF_MS_MIN = 50;
const BACK_OFF_MS_MAX = 10_000;
const LIST_LIMIT = 2_000;
/** A watch that ends sooner than this without a word is a failure, not a rotation. */
const WATCH_MS_MIN = 1_000;

export function withoutManagedFields<T extends KubeObject>(object: T): T {
  delete object.metadata.managedFields;
  return object;
}

export class Informer<T extends KubeObject = KubeObject> {
  readonly #options: InformerOptions<T>;
  readonly #client: KubeClient;
  readonly #env: Env;
  readonly #store: InformerStore<T>;
  readonly #handlers = new Set<InformerHandler<T>>();
  readonly #stop = new AbortController();
  readonly #synced: Promise<void>;
  #onSynced: () => void = () => {};
  #hasSynced = false;
  #version: string | undefined;
  #run: Promise<void> | undefined;
  #failures = 0;

  constructor(options: InformerOptions<T>, client: KubeClient, env: Env) {
    this.#options = options;
    this.#client = client;
    this.#env = env;
    this.#store = new InformerStore<T>(options.indexers);
    this.#synced = new Promise((done) => (this.#onSynced = done));
  }

  start(): this {
    this.#run ??= this.#loop();
    return this;
  }

  /** True once the first list is in the store and every handler has been told of it. */
  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  /** Also resolves when the informer is closed before. */
  whenSynced(): Promise<void> {
    return this.#synced;
  }

  /** The newest version that was heard of. */
  get resourceVersion(): string | undefined {
    return this.#version;
  }

  get(key: string): T | undefined {
    return this.#store.get(key);
  }

  list(): T[] {
    return this.#store.list();
  }

  get size(): number {
    return this.#store.size;
  }

  byIndex(name: string, value: string): readonly T[] {
    return this.#store.byIndex(name, value);
  }

  addIndexers(indexers: Indexers<T>): void {
    this.#store.addIndexers(indexers);
  }

  /** Returns what removes it. */
  addHandler(handler: InformerHandler<T>): () => void {
    this.#handlers.add(handler);
    for (const object of this.#store.list()) handler.onAdd?.(object);
    return () => void this.#handlers.delete(handler);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#onSynced();
    await this.#run;
  }

  async #loop(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        if (this.#version === undefined) await this.#list();
        const startedAt = this.#env.clock.monotonicMs();
        const before = this.#version;
        await this.#watch();
        const lastedMs = this.#env.clock.monotonicMs() - startedAt;
        if (lastedMs >= WATCH_MS_MIN || this.#version !== before) {
          this.#failures = 0;
          continue;
        }
      } catch (error) {
        if (signal.aborted) return;
        this.#onFailure(error);
      }
      await this.#backOff();
    }
  }

  #onFailure(error: unknown): void {
    // 410: what happened since the last version is no longer known. 404: the resource is gone.
    const isLost = error instanceof ApiError && (error.code === 410 || error.code === 404);
    if (isLost || hasReason(error, 'Expired', 'Gone')) this.#version = undefined;
    const { resource } = this.#options.resource;
    this.#env.log.debug('A watch was interrupted', { resource, error: errorChain(error) });
  }

  /** Doubling with full jitter above the half, so that many clients do not come back at once. */
  async #backOff(): Promise<void> {
    const ceiling = Math.min(BACK_OFF_MS_MAX, BACK_OFF_MS_MIN * 2 ** Math.min(this.#failures, 20));
    this.#failures += 1;
    const delayMs = ceiling * (0.5 + this.#env.random.next() / 2);
    await wait(this.#env, delayMs, this.#stop.signal);
  }

  async #list(): Promise<void> {
    const { resource, isMetadataOnly, namespace, labelSelector, fieldSelector } = this.#options;
    const selection = { namespace, labelSelector, fieldSelector, isMetadataOnly };
    const objects: T[] = [];
    let next: string | undefined;
    let version = '';
    do {
      const page = await this.#client.list<T>(resource, {
        ...selection,
        limit: LIST_LIMIT,
        continue: next,
      });
      if (this.#stop.signal.aborted) return;
      for (const item of page.items) objects.push(this.#slim(item));
      version = page.metadata.resourceVersion;
      next = page.metadata.continue;
    } while (next !== undefined && next !== '');
    this.#version = version;
    this.#failures = 0;
    this.#tell(this.#store.replace(objects));
    this.#hasSynced = true;
    this.#onSynced();
  }

  async #watch(): Promise<void> {
    const { resource, isMetadataOnly, namespace, labelSelector, fieldSelector } = this.#options;
    await this.#client.watch<T>(
      resource,
      {
        namespace,
        labelSelector,
        fieldSelector,
        isMetadataOnly,
        resourceVersion: this.#version,
      },
      (event) => this.#onEvent(event),
      this.#stop.signal,
    );
  }

  #onEvent(event: WatchEvent<T>): void {
    if (this.#stop.signal.aborted) return;
    this.#version = event.object.metadata.resourceVersion ?? this.#version;
    this.#failures = 0;
    if (event.type === 'BOOKMARK') return;
    const object = this.#slim(event.object);
    this.#tell(event.type === 'DELETED' ? this.#store.delete(object) : this.#store.put(object));
  }

  #slim(object: T): T {
    return this.#options.slim === undefined
      ? withoutManagedFields(object)
      : this.#options.slim(object);
  }

  #tell(changes: readonly Change<T>[]): void {
    for (const change of changes) {
      for (const handler of this.#handlers) {
        if (change.kind === 'add') handler.onAdd?.(change.object);
        else if (change.kind === 'update') handler.onUpdate?.(change.old, change.object);
        else handler.onDelete?.(change.object, change.isFinalStateUnknown);
      }
    }
  }
}

function wait(env: Env, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    let timer: Timer | undefined;
    const end = (): void => {
      timer?.cancel();
      signal.removeEventListener('abort', end);
      done();
    };
    if (signal.aborted) return done();
    timer = env.timers.after(delayMs, end);
    signal.addEventListener('abort', end);
  });
}
