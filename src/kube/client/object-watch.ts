// Keeps a list of objects up to date: list, then watch, list again when the watch is too old.
import type { Env } from '#env/env.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { hasCode } from './api-call.ts';
import type { WatchEvent } from './answers.ts';
import type { RestClient } from './rest-client.ts';

export interface ObjectHandlers {
  onObject?: ((object: KubeObject) => void) | undefined;
  onGone?: ((uid: string) => void) | undefined;
  /** After the first list. */
  onSynced?: (() => void) | undefined;
}

export interface ObjectQuery {
  readonly path: string;
  /** Of list and watch, for example `fieldSelector=…`. */
  readonly query: string;
}

const retryMsMin = 100;
const retryMsMax = 5_000;
/** The server ends a watch after this time, and a dead connection is noticed. */
const watchSeconds = 300;

export class ObjectWatch {
  readonly #query: ObjectQuery;
  readonly #handlers: ObjectHandlers;
  readonly #client: RestClient;
  readonly #env: Env;
  readonly #objects = new Map<string, KubeObject>();
  readonly #stop = new AbortController();
  #version: string | undefined;
  #isSynced = false;

  constructor(query: ObjectQuery, handlers: ObjectHandlers, client: RestClient, env: Env) {
    this.#query = query;
    this.#handlers = handlers;
    this.#client = client;
    this.#env = env;
  }

  start(): this {
    void this.#run();
    return this;
  }

  list(): readonly KubeObject[] {
    return [...this.#objects.values()];
  }

  close(): void {
    this.#stop.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    let delayMs = retryMsMin;
    while (!signal.aborted) {
      try {
        if (this.#version === undefined) await this.#list();
        await this.#watch(signal);
        delayMs = retryMsMin;
        continue;
      } catch (error) {
        if (signal.aborted) return;
        if (hasCode(error, 410)) {
          this.#version = undefined;
          continue;
        }
        const why = error instanceof Error ? error.message : String(error);
        this.#env.log.warn('A watch was interrupted', { path: this.#query.path, error: why });
      }
      const wait = delayMs;
      await new Promise<void>((done) => this.#env.timers.after(wait, done));
      delayMs = Math.min(delayMs * 2, retryMsMax);
    }
  }

  async #list(): Promise<void> {
    const { path, query } = this.#query;
    const answer = (await this.#client.call({ method: 'GET', path: `${path}?${query}` })) as {
      readonly metadata: { readonly resourceVersion: string };
      readonly items?: readonly KubeObject[] | null;
      readonly kind?: string;
      readonly apiVersion?: string;
    };
    const seen = new Set<string>();
    const kind = (answer.kind ?? 'List').replace(/List$/, '');
    for (const item of answer.items ?? []) {
      const object = { ...item, kind, apiVersion: answer.apiVersion ?? 'v1' };
      seen.add(object.metadata.uid ?? '');
      this.#put(object);
    }
    for (const uid of this.#objects.keys()) if (!seen.has(uid)) this.#remove(uid);
    this.#version = answer.metadata.resourceVersion;
    if (!this.#isSynced) this.#handlers.onSynced?.();
    this.#isSynced = true;
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { path, query } = this.#query;
    const more = `watch=1&allowWatchBookmarks=true&timeoutSeconds=${watchSeconds}`;
    const full = `${path}?${query}&${more}&resourceVersion=${this.#version ?? ''}`;
    await this.#client.watch(full, (event) => this.#onEvent(event), signal);
  }

  #onEvent({ type, object }: WatchEvent): void {
    this.#version = object.metadata.resourceVersion ?? this.#version;
    if (type === 'ADDED' || type === 'MODIFIED') this.#put(object);
    if (type === 'DELETED') this.#remove(object.metadata.uid ?? '');
  }

  #put(object: KubeObject): void {
    const uid = object.metadata.uid ?? '';
    const version = this.#objects.get(uid)?.metadata.resourceVersion;
    this.#objects.set(uid, object);
    if (version !== object.metadata.resourceVersion) this.#handlers.onObject?.(object);
  }

  #remove(uid: string): void {
    if (this.#objects.delete(uid)) this.#handlers.onGone?.(uid);
  }
}
