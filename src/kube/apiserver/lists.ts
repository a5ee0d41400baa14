// Lists and watches: selection, paging at one version, and streams that begin where a list ended.
import type { ServerResponse } from 'node:http';
import type { Env, Timer } from '#env/env.ts';
import { Fault } from '#base/fault.ts';
import { apiVersionOf } from '#kube/meta/object.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { parseFieldSelector, parseLabelSelector } from '#kube/meta/selectors.ts';
import { ApiError, badRequest, expired } from '#kube/meta/status.ts';
import { prefixEnd, type KeyValue, type Store, type StoreEvent } from '#store/store.ts';
import { collectionPrefix, objectOf, textOf } from './object-store.ts';
import {
  bookmarkLine,
  classify,
  isSelected,
  lineOf,
  type Selection,
  type WatchEventText,
} from './watch-hub.ts';

export interface ListRequest {
  readonly info: ResourceInfo;
  readonly namespace: string | undefined;
  /** Set for a watch of one object. */
  readonly name?: string | undefined;
  readonly query: URLSearchParams;
}

export interface Listed {
  readonly items: readonly KeyValue[];
  readonly revision: number;
  readonly next: string | undefined;
  readonly remaining: number | undefined;
}

export function selectionOf({ info, name, query }: ListRequest): Selection {
  const fields = parseFieldSelector(query.get('fieldSelector') ?? '', info.selectableFields);
  if (name !== undefined) fields.push({ path: 'metadata.name', value: name, isEqual: true });
  return { labels: parseLabelSelector(query.get('labelSelector') ?? ''), fields };
}

interface Token {
  readonly rv: number;
  readonly start: string;
}

function decodeToken(text: string): Token {
  try {
    const token = JSON.parse(Buffer.from(text, 'base64url').toString()) as Token;
    if (typeof token.rv === 'number' && typeof token.start === 'string') return token;
  } catch {
    // Falls through: whatever is wrong with it, the client gets the same answer.
  }
  throw badRequest('continue key is not valid: illegal base64 data or JSON');
}

function numberOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (!/^\d+$/.test(text))
    throw badRequest(`invalid value for parameter "${name}": ${JSON.stringify(text)}`);
  return Number(text);
}

function versionOf(query: URLSearchParams): number | undefined {
  const text = query.get('resourceVersion');
  if (text === null || text === '') return undefined;
  if (!/^\d+$/.test(text))
    throw badRequest(
      `Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`,
    );
  return Number(text);
}

/** One page; the store's versions make later pages show the same moment. */
export async function listPage(store: Store, request: ListRequest): Promise<Listed> {
  const { info, namespace, query } = request;
  const selection = selectionOf(request);
  const prefix = collectionPrefix(info, namespace);
  const limit = numberOf(query, 'limit') ?? 0;
  const continued = query.get('continue');
  const token = continued === null || continued === '' ? undefined : decodeToken(continued);
  const exact = query.get('resourceVersionMatch') === 'Exact' ? versionOf(query) : undefined;
  const wanted = versionOf(query);
  if (wanted !== undefined && wanted > store.revision()) throw tooLarge(wanted, store.revision());
  const revision = token?.rv ?? exact;
  try {
    const { items, revision: current } = await store.range({
      start: token?.start ?? prefix,
      end: prefixEnd(prefix),
      ...(revision === undefined ? {} : { revision }),
    });
    const chosen =
      selection.labels.length + selection.fields.length === 0
        ? items
        : items.filter((kv) => isSelected(selection, objectOf(kv)));
    const at = revision ?? current;
    if (limit === 0 || chosen.length <= limit)
      return { items: chosen, revision: at, next: undefined, remaining: undefined };
    const page = chosen.slice(0, limit);
    const following: Token = { rv: at, start: `${page.at(-1)?.key ?? ''}\u0000` };
    const next = Buffer.from(JSON.stringify(following)).toString('base64url');
    const isSelective = selection.labels.length + selection.fields.length > 0;
    return {
      items: page,
      revision: at,
      next,
      remaining: isSelective ? undefined : chosen.length - limit,
    };
  } catch (error) {
    if (error instanceof Fault && error.detail.code === 'compacted') {
      throw expired(
        'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.',
      );
    }
    throw error;
  }
}

function tooLarge(wanted: number, current: number): ApiError {
  return new ApiError(
    504,
    'Timeout',
    `Too large resource version: ${wanted}, current: ${current}`,
    {
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
      retryAfterSeconds: 1,
    },
  );
}

/** The whole list as text; the objects' own texts are only joined. */
export function listText(info: ResourceInfo, listed: Listed): string {
  const metadata = {
    resourceVersion: String(listed.revision),
    ...(listed.next === undefined ? {} : { continue: listed.next }),
    ...(listed.remaining === undefined ? {} : { remainingItemCount: listed.remaining }),
  };
  const head = `{"kind":"${info.listKind}","apiVersion":"${apiVersionOf(info)}","metadata":${JSON.stringify(metadata)},"items":[`;
  return `${head}${listed.items.map(textOf).join(',')}]}`;
}

// ---- watches ----

const BACKLOG_BYTES_MAX = 32 * 1024 * 1024;
const BOOKMARK_MS = 60_000;
const TIMEOUT_SECONDS_DEFAULT = 1_800;

export interface WatchOptions {
  readonly request: ListRequest;
  readonly response: ServerResponse;
  /** Turns an event into a line when the client wants another form (tables, metadata only). */
  readonly line?: ((event: WatchEventText) => string) | undefined;
  readonly contentType: string;
}

export class Watch {
  readonly #store: Store;
  readonly #options: WatchOptions;
  readonly #env: Env;
  readonly #selection: Selection;
  #pending: string[] = [];
  #isScheduled = false;
  #isOver = false;
  #revision = 0;
  #cancel: () => void = () => {};
  readonly #timers = new Set<Timer>();
  readonly ended: Promise<void>;
  #end: () => void = () => {};

  constructor(store: Store, options: WatchOptions, env: Env) {
    this.#store = store;
    this.#options = options;
    this.#env = env;
    this.#selection = selectionOf(options.request);
    this.ended = new Promise((done) => {
      this.#end = done;
    });
  }

  async start(): Promise<void> {
    const { request, response, contentType } = this.#options;
    const { query } = request;
    const version = versionOf(query);
    const sendsInitial = query.get('sendInitialEvents') === 'true';
    if (version !== undefined && version > this.#store.revision()) {
      throw tooLarge(version, this.#store.revision());
    }
    const fromNow = version === undefined || version === 0 || sendsInitial;
    if (!fromNow && version + 1 <= this.#store.compactRevision()) {
      throw expired(`too old resource version: ${version} (${this.#store.compactRevision() + 1})`);
    }
    // Nothing may be awaited between the snapshot and the start of the watch.
    const snapshot = fromNow
      ? await listPage(this.#store, { ...request, query: withoutPaging(query) })
      : undefined;
    response.writeHead(200, { 'Content-Type': contentType, 'Cache-Control': 'no-cache, private' });
    response.on('close', () => this.stop());
    response.on('error', () => this.stop());
    for (const kv of snapshot?.items ?? [])
      this.#push({ type: 'ADDED', kv, revision: kv.modRevision });
    this.#revision = snapshot?.revision ?? version ?? 0;
    if (sendsInitial) this.#queue(bookmarkLine(request.info, this.#revision, true));
    this.#follow(this.#revision + 1);
    this.#setTimers(query);
    if (!response.headersSent || this.#pending.length === 0) response.flushHeaders();
  }

  stop(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancel();
    for (const timer of this.#timers) timer.cancel();
    this.#end();
  }

  #follow(startRevision: number): void {
    const { info, namespace } = this.#options.request;
    const start = collectionPrefix(info, namespace);
    const watch = this.#store.watch(
      { start, end: prefixEnd(start), startRevision },
      {
        onEvents: (events, revision) => this.#onEvents(events, revision),
        onEnd: (reason) => this.#onStoreEnd(reason),
      },
    );
    this.#cancel = () => watch.cancel();
  }

  #onEvents(events: readonly StoreEvent[], revision: number): void {
    if (this.#isOver) return;
    this.#revision = revision;
    for (const event of events) {
      const text = classify(event, this.#selection);
      if (text !== undefined) this.#push(text);
    }
  }

  #onStoreEnd(reason: 'compacted' | 'closed'): void {
    if (this.#isOver) return;
    if (reason === 'compacted') {
      const status = expired('too old resource version').toStatus();
      this.#queue(`${JSON.stringify({ type: 'ERROR', object: status })}\n`);
    }
    this.#flush();
    this.#options.response.end();
    this.stop();
  }

  #push(event: WatchEventText): void {
    this.#queue((this.#options.line ?? lineOf)(event));
  }

  /** What comes within one turn of the event loop goes out as one write. */
  #queue(line: string): void {
    this.#pending.push(line);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#isScheduled = false;
    if (this.#pending.length === 0) return;
    const text = this.#pending.join('');
    this.#pending = [];
    const { response } = this.#options;
    if (response.destroyed || response.writableEnded) return;
    response.write(text);
    if (response.writableLength > BACKLOG_BYTES_MAX) {
      this.#env.log.warn('A watcher does not keep up; cutting it off', {
        resource: this.#options.request.info.resource,
      });
      response.destroy();
      this.stop();
    }
  }

  #setTimers(query: URLSearchParams): void {
    const seconds =
      numberOf(query, 'timeoutSeconds') ?? TIMEOUT_SECONDS_DEFAULT * (1 + this.#env.random.next());
    const end = this.#env.timers.after(seconds * 1_000, () => {
      this.#flush();
      this.#options.response.end();
      this.stop();
    });
    this.#timers.add(end);
    if (query.get('allowWatchBookmarks') === 'true') this.#bookmarkLater();
  }

  #bookmarkLater(): void {
    const timer = this.#env.timers.after(BOOKMARK_MS, () => {
      this.#timers.delete(timer);
      // Nothing was missed up to the store's own revision.
      this.#queue(
        bookmarkLine(
          this.#options.request.info,
          Math.max(this.#revision, this.#store.revision()),
          false,
        ),
      );
      this.#bookmarkLater();
    });
    this.#timers.add(timer);
  }
}

function withoutPaging(query: URLSearchParams): URLSearchParams {
  const copy = new URLSearchParams(query);
  for (const name of ['limit', 'continue', 'resourceVersion', 'resourceVersionMatch'])
    copy.delete(name);
  return copy;
}
