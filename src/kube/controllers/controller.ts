// The frame of every controller: caches fed by watches, a queue of keys without duplicates, one worker,
// retries with growing waits, and a full pass now and then. A reconciler gets a key and reads the rest.
import type { Env, Timer } from '#env/env.ts';
import { hasCode } from '#kube/client/api-call.ts';
import { ObjectWatch } from '#kube/client/object-watch.ts';
import type { RestClient } from '#kube/client/rest-client.ts';
import type { KubeObject } from '#kube/meta/object.ts';

const RETRY_MS_MIN = 20;
const RETRY_MS_MAX = 60_000;
const RESYNC_MS = 300_000;
const WORKERS = 4;

export interface ReconcileResult {
  /** Look at the key again after this time, whatever happens. */
  readonly againInMs?: number | undefined;
}

export type Reconcile = (key: string) => Promise<ReconcileResult | void>;

/** Keys to be worked on: each at most once at a time, never lost while it is being worked on. */
export class WorkQueue {
  readonly #reconcile: Reconcile;
  readonly #name: string;
  readonly #env: Env;
  readonly #waiting = new Set<string>();
  readonly #running = new Set<string>();
  readonly #failures = new Map<string, number>();
  readonly #timers = new Map<string, Timer>();
  #isClosed = false;
  #isPaused = true;

  constructor(name: string, reconcile: Reconcile, env: Env) {
    this.#name = name;
    this.#reconcile = reconcile;
    this.#env = env;
  }

  add(key: string): void {
    if (this.#isClosed) return;
    this.#waiting.add(key);
    this.#next();
  }

  addAfter(key: string, delayMs: number): void {
    if (this.#isClosed) return;
    this.#timers.get(key)?.cancel();
    const timer = this.#env.timers.after(delayMs, () => {
      this.#timers.delete(key);
      this.add(key);
    });
    this.#timers.set(key, timer);
  }

  /** Work begins when all caches have been filled. */
  resume(): void {
    this.#isPaused = false;
    this.#next();
  }

  close(): void {
    this.#isClosed = true;
    this.#waiting.clear();
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }

  #next(): void {
    if (this.#isPaused) return;
    for (const key of this.#waiting) {
      if (this.#running.size >= WORKERS) return;
      if (this.#running.has(key)) continue;
      this.#waiting.delete(key);
      this.#running.add(key);
      void this.#work(key);
    }
  }

  async #work(key: string): Promise<void> {
    try {
      const result = await this.#reconcile(key);
      this.#failures.delete(key);
      if (result?.againInMs !== undefined) this.addAfter(key, result.againInMs);
    } catch (error) {
      const failures = (this.#failures.get(key) ?? 0) + 1;
      this.#failures.set(key, failures);
      const isConflict = hasCode(error, 409, 404);
      if (!isConflict && !this.#isClosed) {
        this.#env.log.warn('A reconciliation failed', { controller: this.#name, key, error });
      }
      this.addAfter(key, Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** Math.min(20, failures)));
    } finally {
      this.#running.delete(key);
      if (!this.#isClosed) this.#next();
    }
  }
}

export function keyOf(object: KubeObject): string {
  const { namespace, name = '' } = object.metadata;
  return namespace === undefined || namespace === '' ? name : `${namespace}/${name}`;
}

export function splitKey(key: string): { namespace: string; name: string } {
  const slash = key.indexOf('/');
  return slash < 0
    ? { namespace: '', name: key }
    : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** A cache of one resource, shared by all controllers of the process. */
export class Cache {
  readonly #objects = new Map<string, KubeObject>();
  readonly #keys = new Map<string, string>();
  readonly #listeners = new Set<(object: KubeObject, isGone: boolean) => void>();
  readonly #watch: ObjectWatch;
  readonly synced: Promise<void>;

  constructor(path: string, client: RestClient, env: Env) {
    const done = Promise.withResolvers<void>();
    this.synced = done.promise;
    this.#watch = new ObjectWatch(
      { path, query: '' },
      {
        onObject: (object) => this.#put(object),
        onGone: (uid) => this.#remove(uid),
        onSynced: () => done.resolve(),
      },
      client,
      env,
    ).start();
  }

  get(key: string): KubeObject | undefined {
    return this.#objects.get(key);
  }

  list(namespace?: string): KubeObject[] {
    const all = [...this.#objects.values()];
    return namespace === undefined
      ? all
      : all.filter((one) => one.metadata.namespace === namespace);
  }

  onChange(listener: (object: KubeObject, isGone: boolean) => void): void {
    this.#listeners.add(listener);
  }

  close(): void {
    this.#watch.close();
  }

  #put(object: KubeObject): void {
    const key = keyOf(object);
    this.#objects.set(key, object);
    this.#keys.set(object.metadata.uid ?? '', key);
    for (const listener of this.#listeners) listener(object, false);
  }

  #remove(uid: string): void {
    const key = this.#keys.get(uid);
    if (key === undefined) return;
    this.#keys.delete(uid);
    const object = this.#objects.get(key);
    // A new object may have the name by now.
    if (object === undefined || object.metadata.uid !== uid) return;
    this.#objects.delete(key);
    for (const listener of this.#listeners) listener(object, true);
  }
}

export interface ControllerServices {
  readonly client: RestClient;
  readonly env: Env;
  /** The cache of a resource, e.g. `/apis/apps/v1/replicasets`; made when first asked for. */
  readonly cache: (path: string) => Cache;
  readonly rootCa: string;
}

export interface Controller {
  readonly name: string;
  readonly queue: WorkQueue;
  /** Caches whose first list must be there before work begins. */
  readonly needs: readonly Cache[];
  /** All keys, for the pass that repairs what events missed. */
  readonly keys: () => Iterable<string>;
  close?(): void;
}

export function startController(controller: Controller, env: Env): { close(): void } {
  let timer: Timer | undefined;
  let isClosed = false;
  const resync = (): void => {
    for (const key of controller.keys()) controller.queue.add(key);
    timer = env.timers.after(RESYNC_MS, resync);
  };
  void Promise.all(controller.needs.map(({ synced }) => synced)).then(() => {
    if (isClosed) return;
    controller.queue.resume();
    resync();
  });
  return {
    close() {
      isClosed = true;
      timer?.cancel();
      controller.queue.close();
      controller.close?.();
    },
  };
}

/** The owner that controls an object, when it is of the wanted kind. */
export function controllerOf(
  object: KubeObject,
  kind: string,
): { name: string; uid: string } | undefined {
  const owner = object.metadata.ownerReferences?.find((one) => one.controller === true);
  return owner?.kind === kind ? { name: owner.name, uid: owner.uid } : undefined;
}

export function ownerReference(owner: KubeObject) {
  return {
    apiVersion: owner.apiVersion,
    kind: owner.kind,
    name: owner.metadata.name ?? '',
    uid: owner.metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  };
}

export function timestamp(now: number): string {
  return new Date(now).toISOString().replace(/\.\d+Z$/, 'Z');
}

export async function recordEvent(
  { client, env }: ControllerServices,
  about: KubeObject,
  event: { component: string; type: 'Normal' | 'Warning'; reason: string; message: string },
): Promise<void> {
  const { namespace = 'default', name = '', uid } = about.metadata;
  const now = timestamp(env.clock.now());
  const { component, type, reason, message } = event;
  const body = {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { generateName: `${name}.`, namespace },
    involvedObject: { apiVersion: about.apiVersion, kind: about.kind, namespace, name, uid },
    reason,
    message,
    type,
    source: { component },
    firstTimestamp: now,
    lastTimestamp: now,
    count: 1,
  };
  try {
    await client.call({ method: 'POST', path: `/api/v1/namespaces/${namespace}/events`, body });
  } catch (error) {
    env.log.debug('Cannot write an event', { error });
  }
}
