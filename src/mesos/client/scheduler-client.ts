// The scheduler library: subscribes a framework with a master, keeps it subscribed, delivers events in
// order and sends calls in order. It decides nothing about offers.
import { Fault, faultCode } from '#base/fault.ts';
import type { Env, Timer } from '#env/env.ts';
import { decode, encode, parseJson, stringify } from '#wire/mesos/codec.ts';
import type {
  FrameworkInfo,
  SchedulerCall,
  SchedulerEvent,
  SchedulerOfferConstraints,
} from '#wire/mesos/v1.ts';
import type { TlsSettings } from '#mesos/security/tls-settings.ts';
import {
  openRecordStream,
  orderedAgent,
  post,
  type ContentType,
  type RecordStream,
} from './http.ts';

export interface SchedulerClientOptions {
  /**
   * `http://HOST:PORT`; a redirect to the leading master is followed. A function is asked before each
   * attempt to connect; undefined: nobody leads just now.
   */
  readonly masterUrl: string | (() => string | undefined);
  /** With `id` to resume a framework; the id given by the master is kept for reconnections. */
  readonly framework: FrameworkInfo;
  readonly contentType?: ContentType | undefined;
  /** Roles to be suppressed from the start. */
  readonly suppressedRoles?: readonly string[] | undefined;
  readonly offerConstraints?: SchedulerOfferConstraints | undefined;
  readonly authorization?: string | undefined;
  readonly tls?: TlsSettings | undefined;
}

export interface SchedulerHandlers {
  readonly onEvent: (event: SchedulerEvent) => void;
  /** The stream broke; the client connects again by itself. */
  readonly onDisconnected: () => void;
  /** The master refused the framework for good (an ERROR event, or 401/403): the client has ended. */
  readonly onError: (error: Fault) => void;
}

const RECONNECT_MS_MIN = 50;
const RECONNECT_MS_MAX = 2_000;
const MISSED_HEARTBEATS_MAX = 5;

export class SchedulerClient {
  readonly #options: SchedulerClientOptions;
  readonly #handlers: SchedulerHandlers;
  readonly #env: Env;
  readonly #type: ContentType;
  readonly #agent = orderedAgent();
  /** Of the master that it is, or last was, connected with. */
  #masterUrl = '';
  /** Where the last answer sent it to. */
  #redirect: string | undefined;
  #framework: FrameworkInfo;
  #stream: RecordStream | undefined;
  #streamId = '';
  #isClosed = false;
  #failures = 0;
  #retry: Timer | undefined;
  #heartbeat: Timer | undefined;
  #heartbeatMs = 15_000;
  #connection = 0;

  constructor(options: SchedulerClientOptions, handlers: SchedulerHandlers, env: Env) {
    this.#options = options;
    this.#handlers = handlers;
    this.#env = env;
    this.#type = options.contentType ?? 'application/json';
    this.#framework = options.framework;
  }

  get frameworkId(): string | undefined {
    return this.#framework.id?.value;
  }

  get masterUrl(): string {
    return this.#masterUrl;
  }

  start(): void {
    void this.#connect();
  }

  /** Sends a call; Fault when not subscribed, unreachable, or refused (`http-status`). */
  async call(call: SchedulerCall): Promise<void> {
    if (this.#streamId === '' || this.#isClosed) {
      throw new Fault({ code: 'not-subscribed' }, `Cannot call ${call.type}: not subscribed`);
    }
    const { id } = this.#framework;
    await post({
      url: `${this.#masterUrl}/api/v1/scheduler`,
      body: this.#encode({ ...call, framework_id: id }),
      contentType: this.#type,
      agent: this.#agent,
      tls: this.#options.tls,
      headers: { ...this.#authorization(), 'Mesos-Stream-Id': this.#streamId },
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#retry?.cancel();
    this.#heartbeat?.cancel();
    this.#stream?.close();
    this.#agent.destroy();
  }

  #authorization(): Record<string, string> {
    const { authorization } = this.#options;
    return authorization === undefined ? {} : { Authorization: authorization };
  }

  #encode(call: SchedulerCall): Uint8Array | string {
    return this.#type === 'application/json'
      ? stringify('SchedulerCall', call)
      : encode('SchedulerCall', call);
  }

  async #connect(): Promise<void> {
    if (this.#isClosed) return;
    this.#connection += 1;
    const connection = this.#connection;
    const { id } = this.#framework;
    const suppressed = this.#options.suppressedRoles;
    const constraints = this.#options.offerConstraints;
    const { masterUrl } = this.#options;
    const url = this.#redirect ?? (typeof masterUrl === 'string' ? masterUrl : masterUrl());
    if (url === undefined) {
      this.#reconnectLater();
      return;
    }
    this.#masterUrl = url;
    const call: SchedulerCall = {
      type: 'SUBSCRIBE',
      ...(id === undefined ? {} : { framework_id: id }),
      subscribe: {
        framework_info: this.#framework,
        ...(suppressed === undefined ? {} : { suppressed_roles: [...suppressed] }),
        ...(constraints === undefined ? {} : { offer_constraints: constraints }),
      },
    };
    try {
      const stream = await openRecordStream(
        {
          url: `${this.#masterUrl}/api/v1/scheduler`,
          body: this.#encode(call),
          contentType: this.#type,
          headers: this.#authorization(),
          tls: this.#options.tls,
        },
        {
          onRecord: (record) => this.#onRecord(connection, record),
          onEnd: () => this.#onEnd(connection),
        },
      );
      if (this.#isClosed) stream.close();
      this.#stream = stream;
      this.#streamId = String(stream.headers['mesos-stream-id'] ?? '');
      this.#watchHeartbeat(connection);
    } catch (error) {
      this.#onRefused(error);
    }
  }

  #onRefused(error: unknown): void {
    if (this.#isClosed) return;
    const detail = error instanceof Fault ? error.detail : undefined;
    const location = detail?.['location'];
    const status = detail?.['status'];
    if (typeof location === 'string') {
      this.#redirect = new URL(location, this.#masterUrl).origin;
    } else if (status === 401 || status === 403) {
      this.close();
      this.#handlers.onError(error as Fault);
      return;
    } else {
      // The leader may have moved: begin again at the address that was given.
      this.#redirect = undefined;
    }
    this.#env.log.debug('Cannot subscribe', { error, code: faultCode(error) });
    this.#reconnectLater();
  }

  #reconnectLater(): void {
    this.#failures += 1;
    const most = Math.min(RECONNECT_MS_MAX, RECONNECT_MS_MIN * 2 ** Math.min(10, this.#failures));
    const delayMs = most * (0.5 + this.#env.random.next() / 2);
    this.#retry = this.#env.timers.after(delayMs, () => void this.#connect());
  }

  #onEnd(connection: number): void {
    if (this.#isClosed || connection !== this.#connection) return;
    this.#heartbeat?.cancel();
    const wasSubscribed = this.#streamId !== '';
    this.#streamId = '';
    this.#stream = undefined;
    if (wasSubscribed) this.#handlers.onDisconnected();
    this.#reconnectLater();
  }

  #watchHeartbeat(connection: number): void {
    this.#heartbeat?.cancel();
    this.#heartbeat = this.#env.timers.after(this.#heartbeatMs * MISSED_HEARTBEATS_MAX, () => {
      this.#env.log.warn('No heartbeat of the master; connecting again');
      this.#stream?.close();
      this.#onEnd(connection);
    });
  }

  #onRecord(connection: number, record: Uint8Array): void {
    if (this.#isClosed || connection !== this.#connection) return;
    const event =
      this.#type === 'application/json'
        ? parseJson('SchedulerEvent', Buffer.from(record).toString())
        : decode('SchedulerEvent', record);
    this.#watchHeartbeat(connection);
    if (event.type === 'HEARTBEAT') return;
    if (event.type === 'SUBSCRIBED' && event.subscribed !== undefined) {
      this.#failures = 0;
      this.#framework = { ...this.#framework, id: event.subscribed.framework_id };
      const seconds = event.subscribed.heartbeat_interval_seconds;
      if (seconds !== undefined) this.#heartbeatMs = seconds * 1_000;
    }
    if (event.type === 'ERROR') {
      // To subscribe again would only fight with whoever took the framework over.
      this.close();
      const message = event.error?.message ?? '';
      this.#handlers.onError(new Fault({ code: 'framework-error' }, message));
    }
    this.#handlers.onEvent(event);
  }
}
