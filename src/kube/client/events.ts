// Writes events about objects, in order and never in the way: what cannot be written is dropped.
import { errorChain } from '#base/fault.ts';
import type { Env } from '#env/env.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { hasReason, type KubeClient } from './client.ts';
import {
  EventCore,
  referenceTo,
  type EventEffect,
  type EventNote,
  type EventSource,
} from './event-core.ts';
import { events } from './resources.ts';

export interface EventText {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  /** `spec.containers{web}` for what concerns one container. */
  readonly fieldPath?: string | undefined;
}

const QUEUE_MAX = 1_000;

export class EventRecorder {
  readonly #core: EventCore;
  readonly #client: KubeClient;
  readonly #env: Env;
  readonly #queue: EventNote[] = [];
  #work: Promise<void> | undefined;
  #isClosed = false;

  constructor(source: EventSource, client: KubeClient, env: Env) {
    this.#core = new EventCore(source);
    this.#client = client;
    this.#env = env;
  }

  record(object: KubeObject, { type, reason, message, fieldPath }: EventText): void {
    if (this.#isClosed || this.#queue.length >= QUEUE_MAX) return;
    this.#queue.push({ about: referenceTo(object, fieldPath), type, reason, message });
    this.#work ??= this.#drain();
  }

  /** Waits for what is being written; the rest is dropped. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#queue.length = 0;
    await this.#work;
  }

  async #drain(): Promise<void> {
    for (let note = this.#queue.shift(); note !== undefined; note = this.#queue.shift()) {
      const effect = this.#core.onNote(note, this.#env.clock.now());
      try {
        await this.#perform(effect);
      } catch (error) {
        if (effect.kind !== 'drop') this.#core.onLost(effect.key);
        // A namespace that is being deleted takes no events; that is nobody's failure.
        if (!hasReason(error, 'Forbidden', 'NotFound')) {
          this.#env.log.debug('Cannot write an event', { error: errorChain(error) });
        }
      }
    }
    this.#work = undefined;
  }

  async #perform(effect: EventEffect): Promise<void> {
    if (effect.kind === 'drop') return;
    if (effect.kind === 'create') {
      await this.#client.create(events, effect.event);
      return;
    }
    const { namespace, name, patch } = effect;
    try {
      await this.#client.patch(events, { namespace, name, type: 'strategic' }, patch);
    } catch (error) {
      if (!hasReason(error, 'NotFound')) throw error;
      await this.#client.create(events, effect.event);
      this.#core.onReplaced(effect.key, effect.event);
    }
  }
}
