// Subscription streams of the master: RecordIO over one HTTP answer each, with heartbeats, and cut
// off when the reader does not keep up (bounded memory).
import type { Env, Timer } from '#env/env.ts';
import { encodeRecord } from '#codec/recordio.ts';
import { encode, stringify, type MessageName } from '#wire/mesos/codec.ts';
import type { Messages } from '#wire/mesos/v1.ts';
import type { StreamAnswer } from './call-answers.ts';
import type { ContentType } from '#mesos/libprocess/negotiate.ts';

/** What may wait in the server for one slow reader, beside two of the largest event it was told. */
const BACKLOG_BYTES_MAX = 16 * 1024 * 1024;

export interface StreamOptions<N extends MessageName> {
  readonly message: N;
  readonly contentType: ContentType;
  readonly heartbeatMs: number;
  readonly heartbeat: Messages[N];
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** That much more may wait: what the reader is told at once grows with the cluster. */
  readonly allowance?: () => number;
  readonly onEnd: () => void;
}

export class EventStream<N extends MessageName> {
  readonly #response: StreamAnswer;
  readonly #options: StreamOptions<N>;
  readonly #env: Env;
  #timer: Timer | undefined;
  /** Bytes of an event. */
  #largest = 0;
  /** Of this turn. */
  readonly #unsent: Buffer[] = [];
  #isOver = false;

  constructor(response: StreamAnswer, options: StreamOptions<N>, env: Env) {
    this.#response = response;
    this.#options = options;
    this.#env = env;
    response.writeHead(200, { 'Content-Type': options.contentType, ...options.headers });
    response.on('close', () => this.#end());
    response.on('error', () => this.#end());
    this.#scheduleHeartbeat();
  }

  send(event: Messages[N]): void {
    if (this.#isOver) return;
    const { message, contentType } = this.#options;
    // The state of a large cluster is one large event, and others follow before it can be read.
    const most = BACKLOG_BYTES_MAX + 2 * this.#largest + (this.#options.allowance?.() ?? 0);
    if (this.#response.writableLength > most) {
      this.#env.log.warn('A subscriber does not keep up; cutting it off', { message });
      this.#response.destroy();
      return;
    }
    const bytes =
      contentType === 'application/json' ? stringify(message, event) : encode(message, event);
    const record = encodeRecord(bytes);
    this.#largest = Math.max(this.#largest, record.length);
    this.#unsent.push(record);
    // What is told in one turn leaves in one piece.
    if (this.#unsent.length === 1) setImmediate(() => this.flush());
  }

  /** What was told so far in this turn leaves now. */
  flush(): void {
    const [first, ...more] = this.#unsent;
    if (this.#isOver || first === undefined) return;
    // Emptied, not replaced: a list that grew old between two events would keep what it held.
    this.#unsent.length = 0;
    this.#response.write(more.length === 0 ? first : Buffer.concat([first, ...more]));
  }

  close(): void {
    if (this.#isOver) return;
    this.flush();
    // The connection stays: a client that reuses it would have its next call cut off.
    this.#response.end();
    this.#end();
  }

  #scheduleHeartbeat(): void {
    this.#timer = this.#env.timers.after(this.#options.heartbeatMs, () => {
      this.send(this.#options.heartbeat);
      if (!this.#isOver) this.#scheduleHeartbeat();
    });
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#timer?.cancel();
    this.#options.onEnd();
  }
}
