// Writes pod statuses to the API server: one writer per pod, the latest status wins, tried again
// until it is there or the pod is gone.
import type { Env } from '#env/env.ts';
import type { NodeApi } from './node-api.ts';
import type { Pod } from './pod-spec.ts';
import type { PodStatus } from './pod-state.ts';

interface Pending {
  pod: Pod;
  status: PodStatus;
}

const retryMsMin = 200;
const retryMsMax = 10_000;

export class StatusWriter {
  readonly #api: NodeApi;
  readonly #env: Env;
  readonly #pending = new Map<string, Pending>();
  readonly #writing = new Map<string, Promise<void>>();
  #closed = false;

  constructor(api: NodeApi, env: Env) {
    this.#api = api;
    this.#env = env;
  }

  set(pod: Pod, status: PodStatus): void {
    const uid = pod.metadata.uid ?? '';
    this.#pending.set(uid, { pod, status });
    if (this.#writing.has(uid) || this.#closed) return;
    const writing = this.#write(uid).finally(() => this.#writing.delete(uid));
    this.#writing.set(uid, writing);
  }

  /** Resolves when the latest status of the pod has been written. */
  async flush(uid: string): Promise<void> {
    while (this.#writing.has(uid)) await this.#writing.get(uid);
  }

  forget(uid: string): void {
    this.#pending.delete(uid);
  }

  close(): void {
    this.#closed = true;
  }

  async #write(uid: string): Promise<void> {
    let delayMs = retryMsMin;
    for (;;) {
      const pending = this.#pending.get(uid);
      if (pending === undefined || this.#closed) return;
      try {
        await this.#api.writeStatus(pending.pod, pending.status);
        if (this.#pending.get(uid) === pending) this.#pending.delete(uid);
        delayMs = retryMsMin;
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        this.#env.log.warn('Cannot write a pod status, will try again', { uid, error: why });
        await new Promise<void>((done) => this.#env.timers.after(delayMs, done));
        delayMs = Math.min(delayMs * 2, retryMsMax);
      }
    }
  }
}
