// Decides what becomes of an event that is to be recorded: a new object, a higher count on one that is
// there, or nothing. Numbers and words are client-go's: similar events are combined after 10 in 10
// minutes, and one source may write 25 about one object and then one in 5 minutes.
import type { KubeObject } from '#kube/meta/object.ts';

export interface ObjectReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly fieldPath?: string | undefined;
}

export interface EventNote {
  readonly about: ObjectReference;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

export interface EventSource {
  readonly component: string;
  readonly host?: string | undefined;
}

export type EventEffect =
  | { readonly kind: 'create'; readonly key: string; readonly event: KubeObject }
  | {
      readonly kind: 'count';
      readonly key: string;
      readonly namespace: string;
      readonly name: string;
      readonly patch: Readonly<Record<string, unknown>>;
      /** What to create when the counted one is gone. */
      readonly event: KubeObject;
    }
  | { readonly kind: 'drop' };

const SIMILAR_COUNT_MAX = 10;
const SIMILAR_MS = 10 * 60_000;
const BURST = 25;
const REFILL_MS = 5 * 60_000;
const KNOWN_MAX = 4096;
const MESSAGE_MAX = 1024;

interface Similar {
  readonly messages: Set<string>;
  at: number;
}

interface Bucket {
  tokens: number;
  at: number;
}

interface Written {
  readonly name: string;
  readonly firstTimestamp: string;
  count: number;
}

/** A map that forgets what was used longest ago. */
class RecentMap<V> {
  readonly #entries = new Map<string, V>();

  get(key: string): V | undefined {
    const value = this.#entries.get(key);
    if (value === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, value);
    return value;
  }

  set(key: string, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size <= KNOWN_MAX) return;
    const oldest = this.#entries.keys().next().value;
    if (oldest !== undefined) this.#entries.delete(oldest);
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }
}

export function referenceTo(object: KubeObject, fieldPath?: string): ObjectReference {
  const { namespace, name = '', uid, resourceVersion } = object.metadata;
  const { apiVersion, kind } = object;
  return { apiVersion, kind, namespace, name, uid, resourceVersion, fieldPath };
}

export class EventCore {
  readonly #source: EventSource;
  readonly #similar = new RecentMap<Similar>();
  readonly #buckets = new RecentMap<Bucket>();
  readonly #written = new RecentMap<Written>();
  #serial = 0;

  constructor(source: EventSource) {
    this.#source = source;
  }

  onNote(note: EventNote, now: number): EventEffect {
    const { about, type, reason } = note;
    if (!this.#mayPass(JSON.stringify([about.kind, about.namespace, about.name, about.uid]), now)) {
      return { kind: 'drop' };
    }
    const group = JSON.stringify([about, type, reason].map((one) => withoutVersion(one)));
    const isCombined = this.#isCombined(group, note.message, now);
    const text = isCombined ? `(combined from similar events): ${note.message}` : note.message;
    const message = text.length > MESSAGE_MAX ? text.slice(0, MESSAGE_MAX) : text;
    const key = isCombined ? group : `${group}${note.message}`;
    const time = `${new Date(now).toISOString().slice(0, 19)}Z`;
    const known = this.#written.get(key);
    const namespace = about.namespace ?? 'default';
    if (known === undefined) {
      const written = { name: this.#name(about.name, now), firstTimestamp: time, count: 1 };
      this.#written.set(key, written);
      return { kind: 'create', key, event: this.#event({ note, message, time, written }) };
    }
    known.count += 1;
    const event = this.#event({
      note,
      message,
      time,
      written: { ...known, name: this.#name(about.name, now) },
    });
    const patch = { count: known.count, lastTimestamp: time, message };
    return { kind: 'count', key, namespace, name: known.name, patch, event };
  }

  /** The event that was counted is gone; `event` was created in its place. */
  onReplaced(key: string, event: KubeObject): void {
    const { name = '' } = event.metadata;
    const written = {
      name,
      firstTimestamp: String(event['firstTimestamp']),
      count: Number(event['count']),
    };
    this.#written.set(key, written);
  }

  /** It was not written; the next of its kind is a new object. */
  onLost(key: string): void {
    this.#written.delete(key);
  }

  #name(of: string, now: number): string {
    this.#serial = (this.#serial + 1) % 0x10000;
    return `${of}.${now.toString(16)}${this.#serial.toString(16).padStart(4, '0')}`;
  }

  #isCombined(group: string, message: string, now: number): boolean {
    let similar = this.#similar.get(group);
    if (similar === undefined || now - similar.at > SIMILAR_MS) {
      similar = { messages: new Set(), at: now };
      this.#similar.set(group, similar);
    }
    similar.at = now;
    // Once ten different messages are known, further ones share an event.
    if (!similar.messages.has(message) && similar.messages.size >= SIMILAR_COUNT_MAX) return true;
    similar.messages.add(message);
    return false;
  }

  #mayPass(object: string, now: number): boolean {
    const bucket = this.#buckets.get(object) ?? { tokens: BURST, at: now };
    bucket.tokens = Math.min(BURST, bucket.tokens + (now - bucket.at) / REFILL_MS);
    bucket.at = now;
    this.#buckets.set(object, bucket);
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }

  #event(of: { note: EventNote; message: string; time: string; written: Written }): KubeObject {
    const { note, message, time, written } = of;
    const { about, type, reason } = note;
    const { component, host } = this.#source;
    return {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: written.name, namespace: about.namespace ?? 'default' },
      involvedObject: about,
      reason,
      message,
      source: { component, ...(host === undefined ? {} : { host }) },
      firstTimestamp: written.firstTimestamp,
      lastTimestamp: time,
      count: written.count,
      type,
      reportingComponent: component,
      reportingInstance: host ?? '',
    };
  }
}

/** Events about different versions of an object are about the same object. */
function withoutVersion(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const { resourceVersion: _version, ...rest } = value as ObjectReference;
  return rest;
}
