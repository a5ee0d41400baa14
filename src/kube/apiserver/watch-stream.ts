// One client's watch: the state it begins with, what it missed since its version, then live through the
// hub; bookmarks, the end of its time, and the end of a client that does not keep up.
import type { ServerResponse } from 'node:http';
import type { Env, Timer } from '#env/env.ts';
import { Http2Response } from '#http2/messages.ts';
import type { GroupedStream } from '#http2/stream-group.ts';
import { ApiError, expired } from '#kube/meta/status.ts';
import { prefixEnd, type Store, type StoreEvent } from '#store/store.ts';
import { listPage, numberOf, selectionOf, tooLarge, versionOf, type ListRequest } from './lists.ts';
import { collectionPrefix, prepareObjects } from './object-store.ts';
import { classify, type Selection } from './selection.ts';
import { waitingBytes } from './slow-client.ts';
import { bookmark, errorFrame, type WatchForm } from './watch-forms.ts';
import type { Channel, End, Receiver, WatchHub } from './watch-hub.ts';

/** What may wait for one client; the bytes themselves are shared with others that get them. */
const BACKLOG_BYTES_MAX = 8 * 1024 * 1024;
/** A client that is cut off may still read what it has been sent. */
const LINGER_MS = 30_000;
const BOOKMARK_MS = 60_000;
const TIMEOUT_SECONDS_DEFAULT = 1_800;
const INITIAL_BYTES = 256 * 1024;

export interface WatchOptions {
  readonly request: ListRequest;
  readonly response: ServerResponse | Http2Response;
  readonly form: WatchForm;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

const unreadable = (): ApiError =>
  new ApiError(
    500,
    'InternalError',
    'Internal error occurred: unable to decode an object that is stored',
  );

export class WatchStream implements Receiver {
  readonly #store: Store;
  readonly #hub: WatchHub;
  readonly #options: WatchOptions;
  readonly #env: Env;
  readonly #selection: Selection;
  readonly #timers = new Set<Timer>();
  #channel: Channel | undefined;
  #leave: () => void = () => {};
  #isOver = false;
  /** The state at the beginning may be more than the backlog; it does not count against the client. */
  #initialBytes = 0;
  readonly ended: Promise<void>;
  #finish: () => void = () => {};

  constructor(store: Store, hub: WatchHub, options: WatchOptions, env: Env) {
    this.#store = store;
    this.#hub = hub;
    this.#options = options;
    this.#env = env;
    this.#selection = selectionOf(options.request);
    this.ended = new Promise((done) => {
      this.#finish = done;
    });
  }

  async start(): Promise<void> {
    const { request, response, form } = this.#options;
    const { query } = request;
    const version = watchVersionOf(query);
    const seconds = numberOf(query, 'timeoutSeconds');
    const sendsInitial = wantsInitial(query, version);
    if (version !== undefined && version > this.#store.revision()) await this.#store.current();
    const isFromNow = version === undefined || version === 0 || sendsInitial;
    const wantsState = isFromNow && query.get('sendInitialEvents') !== 'false';
    const snapshot = isFromNow
      ? await listPage(this.#store, { ...request, query: withoutPaging(query) })
      : undefined;
    response.on('close', () => this.#stop());
    response.on('error', () => this.#stop());
    response.on('drain', () => {
      this.#initialBytes = 0;
    });
    response.writeHead(200, {
      'Content-Type': form.contentType,
      'Cache-Control': 'no-cache, private',
      ...this.#options.headers,
    });
    // A plain watch from the future waits for it, as upstream's does; the state as of then is not there.
    if (sendsInitial && version !== undefined && version > this.#store.revision())
      return this.#refuse(tooLarge(version, this.#store.revision()));
    if (wantsState) {
      const batch = this.#initialBatch();
      for (const kv of snapshot?.items ?? [])
        batch.add(form.event({ type: 'ADDED', kv, revision: kv.modRevision }));
      if (sendsInitial && wantsBookmarks(query)) {
        const end = bookmark(request.info, snapshot?.revision ?? 0, true);
        batch.add(form.other('BOOKMARK', end));
      }
      batch.flush();
    }
    this.#follow(snapshot?.revision ?? version ?? 0);
    if (this.#isOver) return;
    this.#setTimers(seconds);
    response.flushHeaders();
    const forget = this.#hub.attend(request.info, this);
    void this.ended.then(forget);
  }

  // ---- Receiver ----

  get connection(): unknown {
    return this.#options.response.socket;
  }

  get grouped(): GroupedStream | undefined {
    const { response } = this.#options;
    return response instanceof Http2Response ? response.grouped : undefined;
  }

  write(bytes: Buffer): void {
    if (this.#isOver) return;
    const { response } = this.#options;
    if (response.destroyed) return;
    if (response instanceof Http2Response) response.writeShared(bytes);
    else response.write(bytes);
    this.#checkBacklog();
  }

  flush(): void {
    const { response } = this.#options;
    if (response instanceof Http2Response) response.flushConnection();
  }

  #checkBacklog(): void {
    const { response } = this.#options;
    if (waitingBytes(response) > BACKLOG_BYTES_MAX + this.#initialBytes) {
      const { resource } = this.#options.request.info;
      this.#env.log.warn('A watcher does not keep up; its watch ends', { resource });
      this.#close();
      const timer = this.#env.timers.after(LINGER_MS, () => response.destroy());
      response.on('close', () => timer.cancel());
    }
  }

  end(reason: End): void {
    if (this.#isOver) return;
    this.#channel?.flush();
    if (reason === 'compacted') this.#refuse(this.#tooOld());
    else if (reason === 'unreadable') this.#refuse(unreadable());
    else this.#close();
  }

  #tooOld(version?: number): ApiError {
    const oldest = this.#store.compactRevision() + 1;
    const which = version === undefined ? '' : `: ${version} (${oldest})`;
    return expired(`too old resource version${which}`);
  }

  #refuse(error: ApiError): void {
    this.write(errorFrame(this.#options.form, error.toStatus()));
    this.#close();
  }

  /** What came after `revision` and has happened already, then everything that will. */
  #follow(revision: number): void {
    const { request, form } = this.#options;
    const { info, namespace } = request;
    if (info.codec?.mayCall === true) return this.#followAlone(revision);
    const start = collectionPrefix(info, namespace);
    const batch = this.#initialBatch();
    let isGone = false;
    // History comes at once, within the call.
    const replay = this.#store.watch(
      { start, end: prefixEnd(start), startRevision: revision + 1 },
      {
        onEvents: (events) => this.#addMissed(batch, events),
        onEnd: (reason) => {
          if (reason === 'compacted') isGone = true;
        },
      },
    );
    replay.cancel();
    batch.flush();
    if (isGone) return this.#refuse(this.#tooOld(revision));
    const selection = this.#selection;
    const { channel, leave } = this.#hub.join({ info, namespace, selection, form }, this);
    this.#channel = channel;
    this.#leave = leave;
  }

  /** What needs a webhook to be read is not shared with other watchers: each event waits for its answer. */
  #followAlone(revision: number): void {
    const { request } = this.#options;
    const { info, namespace } = request;
    const start = collectionPrefix(info, namespace);
    let last: Promise<void> = Promise.resolve();
    const watch = this.#store.watch(
      { start, end: prefixEnd(start), startRevision: revision + 1 },
      {
        onEvents: (events) => {
          last = last.then(() => this.#sendConverted(events));
        },
        onEnd: (reason) => {
          last = last.then(() => this.end(reason));
        },
      },
    );
    this.#leave = () => watch.cancel();
  }

  async #sendConverted(events: readonly StoreEvent[]): Promise<void> {
    if (this.#isOver) return;
    const { info } = this.#options.request;
    const kvs = events.flatMap((event) =>
      [event.kind === 'put' ? event.kv : undefined, event.previous].filter(
        (one) => one !== undefined,
      ),
    );
    try {
      await prepareObjects(info, kvs);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.write(errorFrame(this.#options.form, error.toStatus()));
      return this.#close();
    }
    const batch = new Batch((bytes) => this.write(bytes));
    this.#addMissed(batch, events);
    batch.flush();
  }

  #initialBatch(): Batch {
    return new Batch((bytes) => {
      const { response } = this.#options;
      if (this.#isOver || response.destroyed) return;
      this.#initialBytes += bytes.length;
      response.write(bytes);
      this.#checkBacklog();
    });
  }

  #addMissed(batch: Batch, events: readonly StoreEvent[]): void {
    const { request, form } = this.#options;
    for (const event of events) {
      const meant = classify(request.info, event, this.#selection);
      if (meant !== undefined) batch.add(form.event(meant));
    }
  }

  #setTimers(wanted: number | undefined): void {
    const seconds =
      wanted === undefined || wanted <= 0
        ? TIMEOUT_SECONDS_DEFAULT * (1 + this.#env.random.next())
        : wanted;
    this.#timers.add(
      this.#env.timers.after(seconds * 1_000, () => {
        this.#channel?.flush();
        this.#close();
      }),
    );
    if (wantsBookmarks(this.#options.request.query)) this.#bookmarkLater();
  }

  #bookmarkLater(): void {
    const timer = this.#env.timers.after(BOOKMARK_MS, () => {
      this.#timers.delete(timer);
      const { request, form } = this.#options;
      // Whatever the store has applied is in the channel, so that nothing up to its revision is missed.
      this.#channel?.flush();
      this.write(form.other('BOOKMARK', bookmark(request.info, this.#store.revision(), false)));
      if (!this.#isOver) this.#bookmarkLater();
    });
    this.#timers.add(timer);
  }

  #close(): void {
    if (this.#isOver) return;
    this.#stop();
    if (!this.#options.response.destroyed) this.#options.response.end();
  }

  #stop(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#leave();
    for (const timer of this.#timers) timer.cancel();
    this.#finish();
  }
}

/** Many small pieces as fewer writes. */
class Batch {
  readonly #write: (bytes: Buffer) => void;
  #pieces: Buffer[] = [];
  #size = 0;

  constructor(write: (bytes: Buffer) => void) {
    this.#write = write;
  }

  add(bytes: Buffer): void {
    this.#pieces.push(bytes);
    this.#size += bytes.length;
    if (this.#size >= INITIAL_BYTES) this.flush();
  }

  flush(): void {
    if (this.#pieces.length === 0) return;
    this.#write(Buffer.concat(this.#pieces));
    this.#pieces = [];
    this.#size = 0;
  }
}

const wantsBookmarks = (query: URLSearchParams): boolean =>
  query.get('allowWatchBookmarks') === 'true';

/** A watch from no version begins with the state, and so its end may be marked, too. */
function wantsInitial(query: URLSearchParams, version: number | undefined): boolean {
  const said = query.get('sendInitialEvents');
  if (said !== null) return said === 'true';
  return (version ?? 0) === 0 && (query.get('resourceVersionMatch') ?? '') === '';
}

/** Upstream answers a watch from a version that is no number with an internal error. */
function watchVersionOf(query: URLSearchParams): number | undefined {
  try {
    return versionOf(query);
  } catch (error) {
    const message = (error as Error).message.replace('invalid resource version: ', '');
    throw new ApiError(500, '', message);
  }
}

function withoutPaging(query: URLSearchParams): URLSearchParams {
  const copy = new URLSearchParams(query);
  for (const name of [
    'limit',
    'continue',
    'resourceVersion',
    'resourceVersionMatch',
    'sendInitialEvents',
  ])
    copy.delete(name);
  return copy;
}
