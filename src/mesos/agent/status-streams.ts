// Decides which status update of a task is sent to the master and when again: one stream per task,
// only its first update in flight, until the scheduler acknowledges it.
import { isTerminal } from '#wire/mesos/task-states.ts';
import { assert } from '#base/assert.ts';
import type { Instant } from '#env/env.ts';
import type { StatusUpdate, TaskState } from '#wire/mesos/v1.ts';

export interface StreamOptions {
  readonly retryMs: number;
  readonly retryMsMax: number;
}

export interface Stream {
  readonly frameworkId: string;
  readonly taskId: string;
  readonly pending: StatusUpdate[];
  readonly received: Set<string>;
  readonly acknowledged: Set<string>;
  retryMs: number;
  /** When the first pending update is sent again; infinite while nothing is pending. */
  sendAt: Instant;
  latest: TaskState | undefined;
}

export function hexOf(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}

function keyOf(frameworkId: string, taskId: string): string {
  return `${frameworkId}\u0000${taskId}`;
}

export class StatusStreams {
  readonly #options: StreamOptions;
  readonly #streams = new Map<string, Stream>();
  /** Those with something in flight: few, while the others may be many. */
  readonly #active = new Set<Stream>();

  constructor(options: StreamOptions) {
    assert(options.retryMs > 0, 'retryMs must be positive');
    this.#options = options;
  }

  /** False for a duplicate, which only needs its sender acknowledged again. */
  add(update: StatusUpdate, now: Instant): boolean {
    const uuid = hexOf(update.uuid ?? new Uint8Array());
    const frameworkId = update.framework_id.value;
    const taskId = update.status.task_id.value;
    let stream = this.#streams.get(keyOf(frameworkId, taskId));
    if (stream === undefined) {
      stream = {
        frameworkId,
        taskId,
        pending: [],
        received: new Set(),
        acknowledged: new Set(),
        retryMs: this.#options.retryMs,
        sendAt: Infinity,
        latest: undefined,
      };
      this.#streams.set(keyOf(frameworkId, taskId), stream);
    }
    if (stream.received.has(uuid)) return false;
    stream.received.add(uuid);
    stream.pending.push(update);
    stream.latest = update.status.state;
    if (stream.pending.length === 1) this.#inFlight(stream, now);
    return true;
  }

  #inFlight(stream: Stream, now: Instant): void {
    stream.retryMs = this.#options.retryMs;
    stream.sendAt = now;
    this.#active.add(stream);
  }

  /** `undefined` when it is not the one in flight (a repeat, or of another life). */
  acknowledge(
    frameworkId: string,
    taskId: string,
    uuid: Uint8Array,
    now: Instant,
  ): { update: StatusUpdate; isLast: boolean } | undefined {
    const stream = this.#streams.get(keyOf(frameworkId, taskId));
    const first = stream?.pending[0];
    if (stream === undefined || first === undefined) return undefined;
    const hex = hexOf(uuid);
    if (hexOf(first.uuid ?? new Uint8Array()) !== hex) return undefined;
    stream.acknowledged.add(hex);
    stream.pending.shift();
    stream.sendAt = Infinity;
    this.#active.delete(stream);
    const isLast = isTerminal(first.status.state);
    if (isLast) this.#streams.delete(keyOf(frameworkId, taskId));
    else if (stream.pending.length > 0) this.#inFlight(stream, now);
    return { update: first, isLast };
  }

  /** The updates to send now; each is due again after its back-off. */
  takeDue(now: Instant): readonly { update: StatusUpdate; latest: TaskState }[] {
    const due: { update: StatusUpdate; latest: TaskState }[] = [];
    for (const stream of this.#active) {
      const first = stream.pending[0];
      if (first === undefined || stream.sendAt > now) continue;
      stream.sendAt = now + stream.retryMs;
      stream.retryMs = Math.min(stream.retryMs * 2, this.#options.retryMsMax);
      due.push({ update: first, latest: stream.latest ?? first.status.state });
    }
    return due;
  }

  /** After (re)registration everything pending is due at once; or all of one framework. */
  resend(now: Instant, frameworkId?: string | undefined): void {
    for (const stream of this.#active) {
      const isMeant = frameworkId === undefined || stream.frameworkId === frameworkId;
      if (isMeant && stream.pending.length > 0) this.#inFlight(stream, now);
    }
  }

  nextAt(): Instant {
    let at = Infinity;
    for (const stream of this.#active) at = Math.min(at, stream.sendAt);
    return at;
  }

  of(frameworkId: string, taskId: string): Stream | undefined {
    return this.#streams.get(keyOf(frameworkId, taskId));
  }

  hasPending(frameworkId: string): boolean {
    for (const stream of this.#active) if (stream.frameworkId === frameworkId) return true;
    return false;
  }

  forgetFramework(frameworkId: string): void {
    for (const [key, stream] of this.#streams) {
      if (stream.frameworkId !== frameworkId) continue;
      this.#streams.delete(key);
      this.#active.delete(stream);
    }
  }
}
