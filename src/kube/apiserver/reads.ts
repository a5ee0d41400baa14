// The verbs that read: get, list and watch, in the form that the client accepts.
import type { Env } from '#env/env.ts';
import { parseExact } from '#kube/meta/exact-numbers.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { ApiError, badRequest, unsupported } from '#kube/meta/status.ts';
import { encodeList, encodeObject } from '#kube/types/protobuf.ts';
import type { Store } from '#store/store.ts';
import { ComponentStatuses, type ComponentOptions } from './component-statuses.ts';
import { sendBytes, sendPieces, sendValue, type Exchange, type SendOptions } from './bodies.ts';
import {
  checkGetVersion,
  checkListOptions,
  listJson,
  listMetadata,
  listPage,
  listProtobuf,
  selectionOf,
  tellingUnreadable,
  tooLarge,
  type Listed,
} from './lists.ts';
import { jsonForm, packedPieces, plainPieces, protobufForm } from './list-pieces.ts';
import { PieceBuffers } from './piece-buffers.ts';
import { partialObject } from './metadata-only.ts';
import { mediaTypes, negotiateOrRefuse, offeredFor, type Accepted } from './negotiation.ts';
import { jsonBytes, objectFor } from './object-store.ts';
import { toTable } from './printers/table.ts';
import { isTrue, type RequestInfo } from './request-info.ts';
import type { Resources } from './resources.ts';
import { scaleInfoOf, scaleOf } from './scale.ts';
import { isSelected } from './selection.ts';
import { watchForm } from './watch-forms.ts';
import { WatchHub, type WatchListener } from './watch-hub.ts';
import { WatchStream } from './watch-stream.ts';

export interface ReadsOptions {
  readonly runsHere?: ComponentOptions['runsHere'];
  readonly listener?: WatchListener | undefined;
}

const isOfComponents = ({ group, resource }: ResourceInfo): boolean =>
  group === '' && resource === 'componentstatuses';

/** Watches that end in a longer time do so at 200 a second, or faster when they are more. */
const TURN_MS = 10;

export class Reads {
  readonly #store: Store;
  readonly #resources: Resources;
  readonly #hub: WatchHub;
  readonly #watches = new Set<WatchStream>();
  readonly #buffers = new PieceBuffers();
  readonly #components: ComponentStatuses;
  readonly #env: Env;

  constructor(store: Store, resources: Resources, { runsHere, listener }: ReadsOptions, env: Env) {
    this.#components = new ComponentStatuses({ store, runsHere });
    this.#store = store;
    this.#resources = resources;
    this.#hub = new WatchHub(store, listener);
    this.#env = env;
  }

  /** Watches end behind what they have still to be told, one after the other in that time at most. */
  async endAllWatches(graceMs: number): Promise<void> {
    const perTurn = Math.max(TURN_MS / 5, (this.#watches.size * TURN_MS) / graceMs);
    const told = new Set<WatchStream>();
    for (;;) {
      const open = [...this.#watches].filter((one) => !told.has(one));
      const ending = graceMs > 0 ? open.slice(0, Math.ceil(perTurn)) : open;
      for (const watch of ending) {
        told.add(watch);
        watch.end('closed');
      }
      if (ending.length === open.length) return;
      await new Promise<void>((done) => this.#env.timers.after(TURN_MS, done));
    }
  }

  close(): void {
    this.#hub.close();
  }

  async get(exchange: Exchange, info: RequestInfo, resource: ResourceInfo): Promise<void> {
    if (isOfComponents(resource)) {
      const status = await this.#components.get(info.name ?? '');
      return this.sendObject(exchange, info, resource, status);
    }
    checkGetVersion(resource, info.query);
    const wanted = Number(info.query.get('resourceVersion') ?? '');
    if (wanted > this.#store.revision() && wanted > (await this.#store.current()))
      throw tooLarge(wanted, this.#store.revision());
    const isExport = isTrue(info.query.get('export'));
    if (isExport) {
      const why = 'the export parameter, deprecated since v1.14, is no longer supported';
      throw badRequest(why);
    }
    const kv = await this.#resources.need(resource, info.namespace, info.name ?? '');
    if (info.subresource === 'scale') {
      const scale = scaleOf(resource, objectFor(resource, kv));
      return this.sendObject(exchange, info, scaleInfoOf(resource), scale);
    }
    const { media, as, isPretty } = acceptedBy(exchange, resource);
    if (media === 'json' && as === undefined && !isPretty)
      return sendBytes(exchange, jsonBytes(resource, kv, { after: '\n' }));
    this.sendObject(exchange, info, resource, objectFor(resource, kv));
  }

  /** The answer of a write, or of a get: whole, as a table, or metadata only. */
  sendObject(
    exchange: Exchange,
    info: RequestInfo,
    resource: ResourceInfo,
    object: KubeObject,
    options: SendOptions = {},
  ): void {
    const { as, version } = acceptedBy(exchange, resource);
    checkMetadataOnly(resource, as, false);
    const { resourceVersion } = object.metadata;
    const value =
      as === 'Table' && object.kind === resource.kind
        ? toTable(resource, [object], this.#tableOptions(info, version, { resourceVersion }, true))
        : as === undefined || as === 'Table'
          ? object
          : partialObject(resource, object, version);
    sendValue(exchange, value, options);
  }

  #tableOptions(
    info: RequestInfo,
    version: string,
    metadata: Record<string, unknown>,
    withColumns: boolean,
  ) {
    const includeObject = includedIn(info.query);
    return { version, now: this.#env.clock.now(), metadata, includeObject, withColumns };
  }

  /** How many watches are told of a change of an object of the resource. */
  watchers(resource: ResourceInfo, namespace: string | undefined): number {
    return this.#hub.watchers(resource, namespace);
  }

  /** What was served as `infos` is served no more, or else. */
  endWatches(definition: string, infos: Iterable<ResourceInfo>): void {
    this.#hub.endOf(definition, infos);
  }

  async list(exchange: Exchange, info: RequestInfo, resource: ResourceInfo): Promise<void> {
    const { namespace, query } = info;
    checkListOptions(query, false);
    if (isOfComponents(resource)) return await this.#listComponents(exchange, info, resource);
    const listed = await listPage(this.#store, { info: resource, namespace, query });
    const send = () => this.sendList(exchange, info, resource, listed);
    await tellingUnreadable(resource, listed.items, send);
  }

  /** Nobody stores them: neither they nor their list have a version. */
  async #listComponents(
    exchange: Exchange,
    info: RequestInfo,
    resource: ResourceInfo,
  ): Promise<void> {
    const { namespace, query } = info;
    const selection = selectionOf({ info: resource, namespace, query });
    const all = await this.#components.list();
    const items = all.filter((one) => isSelected(selection, one));
    const accepted = acceptedBy(exchange, resource);
    const { as, version } = accepted;
    if (as === 'Table') {
      return sendValue(
        exchange,
        toTable(resource, items, this.#tableOptions(info, version, {}, true)),
      );
    }
    checkMetadataOnly(resource, as, true);
    if (as !== undefined) return this.#sendMetadata(exchange, resource, items, {}, accepted);
    const list = { kind: resource.listKind, apiVersion: 'v1', metadata: {} };
    if (accepted.media === 'protobuf') {
      const messages = items.map((one) => encodeObject(one) ?? new Uint8Array());
      return sendBytes(exchange, encodeList(list, messages), { contentType: mediaTypes.protobuf });
    }
    const bare = items.map(({ kind: _kind, apiVersion: _version, ...rest }) => rest);
    sendValue(exchange, { ...list, items: bare });
  }

  async sendList(
    exchange: Exchange,
    info: RequestInfo,
    resource: ResourceInfo,
    listed: Listed,
  ): Promise<void> {
    const accepted = acceptedBy(exchange, resource);
    const { media, as, isPretty } = accepted;
    if (as === 'Table') {
      const options = this.#tableOptions(info, accepted.version, listMetadata(listed), true);
      return sendValue(
        exchange,
        toTable(
          resource,
          listed.items.map((kv) => objectFor(resource, kv)),
          options,
        ),
      );
    }
    checkMetadataOnly(resource, as, true);
    if (as !== undefined) {
      const items = listed.items.map((kv) => objectFor(resource, kv));
      return this.#sendMetadata(exchange, resource, items, listMetadata(listed), accepted);
    }
    const isPlain = media === 'protobuf' || (media === 'json' && !isPretty);
    if (isPlain && isLong(listed)) return await this.#sendLong(exchange, resource, listed, media);
    if (media === 'protobuf') {
      const bytes = listProtobuf(resource, listed);
      if (bytes !== undefined)
        return sendBytes(exchange, bytes, { contentType: mediaTypes.protobuf });
    }
    const bytes = listJson(resource, listed);
    if (media === 'json' && !isPretty) return sendBytes(exchange, bytes);
    sendValue(exchange, parseExact(bytes.toString()) as object);
  }

  async #sendLong(
    exchange: Exchange,
    resource: ResourceInfo,
    listed: Listed,
    media: Accepted['media'],
  ): Promise<void> {
    const { items } = listed;
    const messages = media === 'protobuf' ? await protobufForm(resource, listed) : undefined;
    const form = messages ?? jsonForm(resource, listed);
    await sendPieces(
      exchange,
      {
        contentType: mediaTypes[form.media],
        plain: () => plainPieces(form, items, this.#buffers),
        written: (piece) => this.#buffers.giveBack(piece),
        packed: () => packedPieces(resource, form, items),
      },
      this.#env.timers,
    );
  }

  #sendMetadata(
    exchange: Exchange,
    resource: ResourceInfo,
    objects: readonly KubeObject[],
    metadata: Record<string, unknown>,
    { media, version }: Accepted,
  ): void {
    const items = objects.map((one) => partialObject(resource, one, version));
    const list = {
      kind: 'PartialObjectMetadataList',
      apiVersion: `meta.k8s.io/${version}`,
      metadata,
    };
    // As Go writes a list that nobody put anything in.
    const written = items.length === 0 ? null : items;
    if (media !== 'protobuf') return sendValue(exchange, { ...list, items: written });
    const messages = items.map((item) => encodeObject(item) ?? new Uint8Array());
    sendBytes(exchange, encodeList(list, messages), { contentType: mediaTypes.protobuf });
  }

  async watch(exchange: Exchange, info: RequestInfo, resource: ResourceInfo): Promise<void> {
    const { namespace, query, name } = info;
    checkListOptions(query, true);
    if (!resource.verbs.includes('watch')) throw unsupported(resource, 'watch');
    const accepted = acceptedBy(exchange, resource);
    if (accepted.as === 'Table') includedIn(query);
    const form = watchForm(resource, accepted, (metadata, withColumns) =>
      this.#tableOptions(info, accepted.version, metadata, withColumns),
    );
    const watch = new WatchStream(
      this.#store,
      this.#hub,
      {
        request: { info: resource, namespace, name, query },
        response: exchange.response,
        form,
        headers: exchange.headers,
      },
      this.#env,
    );
    await watch.start();
    exchange.onStarted?.();
    this.#watches.add(watch);
    await watch.ended;
    this.#watches.delete(watch);
  }
}

type Included = 'None' | 'Metadata' | 'Object';

const isIncluded = (name: string): name is Included =>
  name === 'None' || name === 'Metadata' || name === 'Object';

/** What each row of a table has of its object. Throws ApiError. */
function includedIn(query: URLSearchParams): Included {
  const wanted = query.get('includeObject') || 'Metadata';
  if (isIncluded(wanted)) return wanted;
  const what = `includeObject: Invalid value: ${JSON.stringify(wanted)}`;
  const why = `${what}: must be 'Metadata', 'Object', 'None', or empty`;
  throw badRequest(`Unable to convert to Table as requested: ${why}`);
}

/** A list is asked for as a list, and an object as one. Throws ApiError 406. */
function checkMetadataOnly(resource: ResourceInfo, as: string | undefined, isList: boolean): void {
  const wrong = isList ? 'PartialObjectMetadata' : 'PartialObjectMetadataList';
  if (as !== wrong) return;
  const what = isList ? 'a list' : 'not a list';
  const type = `(*${goPackage(resource)}${isList ? 'List' : ''})`;
  const why = `you requested ${wrong}, but the requested object is ${what} ${type}`;
  throw new ApiError(406, 'NotAcceptable', why);
}

/** What Go calls the type within the server. */
function goPackage({ group, kind, customResourceDefinition }: ResourceInfo): string {
  if (customResourceDefinition !== undefined) return 'unstructured.Unstructured';
  const [first = ''] = group.split('.');
  return `${first === '' || first === 'events' ? 'core' : first}.${kind}`;
}

/** Shorter ones are one piece, whose length is told before. */
const LONG_BYTES_MIN = 256 * 1024;

function isLong({ items }: Listed): boolean {
  let size = 0;
  return items.some(({ value }) => (size += value.length) > LONG_BYTES_MIN);
}

/** What the handler negotiated, or what the request asks for now. */
function acceptedBy(exchange: Exchange, resource: ResourceInfo): Accepted {
  exchange.accepted ??= negotiateOrRefuse(exchange.request, offeredFor(resource, 'get'));
  return exchange.accepted;
}
