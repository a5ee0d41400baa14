// Runs a provider core: subscribes to an agent's v1 resource provider API, keeps its state on disk, works
// on volumes; comes back after whatever breaks.
import { dirname } from 'node:path';
import { errorChain, faultCode } from '#base/fault.ts';
import type { Disk } from '#env/disk.ts';
import type { Env, Timer } from '#env/env.ts';
import {
  openRecordStream,
  orderedAgent,
  post,
  type ContentType,
  type RecordStream,
} from '#mesos/client/http.ts';
import type { TlsSettings } from '#mesos/security/tls-settings.ts';
import { decode, encode, parseJson, stringify } from '#wire/mesos/codec.ts';
import type {
  ResourceProviderCall,
  ResourceProviderEvent,
  ResourceProviderInfo,
  ResourceState,
} from '#wire/mesos/v1.ts';
import {
  ProviderCore,
  type ProviderEffect,
  type ProviderInput,
  type ProviderSettings,
} from './core.ts';
import type { Volumes } from './volumes.ts';

export interface ProviderPlace {
  /** Of the agent's API, `/api/v1/resource_provider` and all. */
  readonly url: string;
  readonly contentType: ContentType;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly tls?: TlsSettings | undefined;
  /** Without an id: that is the agent's to give. */
  readonly info: ResourceProviderInfo;
  /** Where its id and what it has are kept. */
  readonly stateFile: string;
  readonly settings: Omit<ProviderSettings, 'mountRoot' | 'uuid' | 'uuidBytes'>;
}

const RECONNECT_MS = 100;
const RECONNECT_MS_MAX = 1_000;
/** Before it looks again whether its disk works. */
const RESTART_MS = 1_000;
const PRIVATE_FILE = { mode: 0o600 };

/** The file: the id in a record of its own would need two writes; it is in each of the resources. */
interface Kept {
  readonly id: string;
  readonly state: ResourceState;
}

export class LocalProvider {
  readonly #place: ProviderPlace;
  readonly #ports: { readonly env: Env; readonly disk: Disk; readonly volumes: Volumes };
  readonly #http = orderedAgent();
  #core: ProviderCore | undefined;
  #stream: RecordStream | undefined;
  #streamId = '';
  #timer: Timer | undefined;
  #reconnect: Timer | undefined;
  #reconnectMs = RECONNECT_MS;
  #isClosed = false;
  #tail: Promise<void> = Promise.resolve();
  readonly #gone = Promise.withResolvers<void>();

  constructor(
    place: ProviderPlace,
    ports: { readonly env: Env; readonly disk: Disk; readonly volumes: Volumes },
  ) {
    this.#place = place;
    this.#ports = ports;
  }

  /** The agent's operator marked it gone. */
  get gone(): Promise<void> {
    return this.#gone.promise;
  }

  get id(): string | undefined {
    return this.#core?.id;
  }

  /** Reads what an earlier life kept, then subscribes, and again whenever the stream ends. */
  async start(): Promise<void> {
    const { env } = this.#ports;
    const settings = {
      ...this.#place.settings,
      mountRoot: this.#ports.volumes.mountRoot,
      uuid: () => env.random.uuid(),
      uuidBytes: () => new Uint8Array(Buffer.from(env.random.uuid().replaceAll('-', ''), 'hex')),
    };
    const found = await this.#ports.volumes.list();
    const kept = await this.#readKept();
    if (this.#isClosed) return;
    this.#core = new ProviderCore(settings, kept, found);
    this.#connect();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stream?.close();
    this.#timer?.cancel();
    this.#reconnect?.cancel();
    await this.#tail;
    this.#http.destroy();
  }

  async #readKept(): Promise<Kept | undefined> {
    const bytes = await this.#ports.disk.read(this.#place.stateFile);
    if (bytes === undefined) return undefined;
    const state = decode('ResourceState', bytes);
    const id = state.resources?.find((one) => one.provider_id !== undefined)?.provider_id?.value;
    return id === undefined ? undefined : { id, state };
  }

  // ---- the agent's side

  #connect(): void {
    if (this.#isClosed) return;
    const id = this.#core?.id;
    const resource_provider_info = {
      ...this.#place.info,
      ...(id === undefined ? {} : { id: { value: id } }),
    };
    const call: ResourceProviderCall = { type: 'SUBSCRIBE', subscribe: { resource_provider_info } };
    const core = this.#core;
    const handlers = {
      onRecord: (record: Uint8Array) => this.#onRecord(record),
      onEnd: () => {
        if (this.#core === core) this.#ended();
      },
    };
    openRecordStream({ ...this.#request(), body: this.#encoded(call) }, handlers).then(
      (stream) => {
        const header = stream.headers['mesos-stream-id'];
        this.#streamId = Array.isArray(header) ? (header[0] ?? '') : (header ?? '');
        this.#stream = stream;
        if (this.#isClosed || this.#core !== core) stream.close();
      },
      (error: unknown) => {
        this.#ports.env.log.debug('A resource provider cannot subscribe', {
          error: errorChain(error),
        });
        if (this.#core === core) this.#retry();
      },
    );
  }

  #request(): Omit<Parameters<typeof post>[0], 'body'> {
    const { url, contentType, headers, tls } = this.#place;
    return { url, contentType, headers, tls, agent: this.#http };
  }

  #encoded(call: ResourceProviderCall): Uint8Array | string {
    return this.#place.contentType === 'application/json'
      ? stringify('ResourceProviderCall', call)
      : encode('ResourceProviderCall', call);
  }

  #onRecord(record: Uint8Array): void {
    const event: ResourceProviderEvent =
      this.#place.contentType === 'application/json'
        ? parseJson('ResourceProviderEvent', Buffer.from(record).toString())
        : decode('ResourceProviderEvent', record);
    if (event.subscribed === undefined) {
      this.#input({ kind: 'event', event });
      return;
    }
    this.#reconnectMs = RECONNECT_MS;
    this.#input({ kind: 'subscribed', id: event.subscribed.provider_id.value });
  }

  #ended(): void {
    this.#stream = undefined;
    this.#input({ kind: 'disconnected' });
    this.#retry();
  }

  #resubscribe(): void {
    if (this.#stream === undefined) return;
    this.#stream.close();
    this.#ended();
  }

  #retry(): void {
    if (this.#isClosed) return;
    this.#reconnect = this.#ports.env.timers.after(this.#reconnectMs, () => this.#connect());
    this.#reconnectMs = Math.min(this.#reconnectMs * 2, RECONNECT_MS_MAX);
  }

  // ---- the core's side

  #input(input: ProviderInput): void {
    const core = this.#core;
    if (this.#isClosed || core === undefined) return;
    const effects = core.handle(input, this.#ports.env.clock.now());
    if (effects.length > 0) {
      this.#tail = this.#tail
        .then(async () => {
          for (const effect of effects) {
            // What it could not keep an earlier life must not tell.
            if (this.#core === core) await this.#perform(effect);
          }
        })
        .catch((error: unknown) => this.#fail(error));
    }
    this.#arm(core);
  }

  /** Without its disk it cannot keep its promises: it is there no more, until it can read and write again. */
  #fail(error: unknown): void {
    if (this.#isClosed) return;
    this.#core = undefined;
    this.#stream?.close();
    this.#stream = undefined;
    this.#timer?.cancel();
    this.#reconnect?.cancel();
    const message = errorChain(error);
    const { log, timers } = this.#ports.env;
    log.error('A resource provider stops for a while: its disk does not work', { message });
    this.#reconnect = timers.after(RESTART_MS, () => {
      this.start().catch((again: unknown) => this.#fail(again));
    });
  }

  #arm(core: ProviderCore): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const at = core.nextDeadline();
    if (at === Infinity) return;
    const { clock, timers } = this.#ports.env;
    this.#timer = timers.after(Math.max(0, at - clock.now()), () => this.#input({ kind: 'tick' }));
  }

  async #perform(effect: ProviderEffect): Promise<void> {
    const { disk, volumes } = this.#ports;
    switch (effect.kind) {
      case 'keep':
        await disk.makeFolder(dirname(this.#place.stateFile), { mode: 0o700 });
        await disk.writeAtomic(
          this.#place.stateFile,
          encode('ResourceState', effect.state),
          PRIVATE_FILE,
        );
        return;
      case 'call':
        await this.#call(effect.call);
        return;
      case 'make':
      case 'remove':
        await this.#work(effect);
        return;
      case 'publish': {
        const all = effect.volumes.map((one) => volumes.publish(one));
        const isOk = await this.#succeeds('publish', Promise.all(all));
        this.#input({ kind: 'published', uuid: effect.uuid, isOk: isOk === undefined });
        return;
      }
      case 'end':
        await disk.remove(this.#place.stateFile);
        this.#isClosed = true;
        this.#stream?.close();
        this.#gone.resolve();
        return;
      default:
    }
  }

  async #work(effect: Extract<ProviderEffect, { kind: 'make' | 'remove' }>): Promise<void> {
    const { volumes } = this.#ports;
    const { kind, key, volume } = effect;
    const work = kind === 'make' ? volumes.make(volume) : volumes.remove(volume);
    const message = await this.#succeeds(kind, work);
    if (message !== undefined) this.#input({ kind: 'failed', key, message });
    else this.#input({ kind: kind === 'remove' ? 'removed' : 'made', key });
  }

  /** Undefined, or why not. */
  async #succeeds(what: string, work: Promise<unknown>): Promise<string | undefined> {
    try {
      await work;
      return undefined;
    } catch (error) {
      const message = errorChain(error);
      this.#ports.env.log.warn('A resource provider cannot work on a volume', {
        what,
        error: message,
      });
      return message;
    }
  }

  /**
   * What does not arrive is said again: statuses by themselves, the rest after the next subscription, to
   * which a connection that broke leads.
   */
  async #call(call: ResourceProviderCall): Promise<void> {
    const headers = { ...this.#place.headers, 'Mesos-Stream-Id': this.#streamId };
    try {
      await post({ ...this.#request(), headers, body: this.#encoded(call) });
    } catch (error) {
      this.#ports.env.log.debug('A call of a resource provider failed', {
        type: call.type,
        error: errorChain(error),
      });
      if (faultCode(error) === 'unreachable') this.#resubscribe();
    }
  }
}
