// The verbs that read: get, list and watch, in the form that the client accepts.
import type { Env } from '#env/env.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import type { Store } from '#store/store.ts';
import { acceptedForm, sendJson, sendText, type Exchange } from './bodies.ts';
import { listPage, listText, Watch, type Listed } from './lists.ts';
import { objectOf, textOf } from './object-store.ts';
import { toTable } from './printers/table.ts';
import type { RequestInfo } from './request-info.ts';
import type { Resources, WriteContext } from './resources.ts';
import { scaleOf } from './subresources.ts';
import { lineOf, type WatchEventText } from './watch-hub.ts';

export class Reads {
  readonly #store: Store;
  readonly #resources: Resources;
  readonly #env: Env;

  constructor(store: Store, resources: Resources, env: Env) {
    this.#store = store;
    this.#resources = resources;
    this.#env = env;
  }

  async get(exchange: Exchange, info: RequestInfo, resource: ResourceInfo): Promise<void> {
    const kv = await this.#resources.need(resource, info.namespace, info.name ?? '');
    const form = acceptedForm(exchange.request);
    if (info.subresource === 'scale') {
      const context = { info: resource } as WriteContext;
      return sendJson(exchange, scaleOf(context, objectOf(kv)));
    }
    if (form.kind === 'object' && info.query.get('pretty') === null)
      return sendText(exchange, textOf(kv));
    this.sendObject(exchange, info, resource, objectOf(kv));
  }

  /** The answer of a write, or of a get: whole, as a table, or metadata only. */
  sendObject(
    exchange: Exchange,
    info: RequestInfo,
    resource: ResourceInfo,
    object: KubeObject,
    options: { status?: number; warnings?: readonly string[] } = {},
  ): void {
    const form = acceptedForm(exchange.request);
    const { resourceVersion } = object.metadata;
    const value =
      form.kind === 'table' && object.kind === resource.kind
        ? toTable(resource, [object], this.#tableOptions(info, { resourceVersion }, true))
        : form.kind === 'metadata'
          ? {
              kind: 'PartialObjectMetadata',
              apiVersion: 'meta.k8s.io/v1',
              metadata: object.metadata,
            }
          : object;
    sendJson(exchange, value, options);
  }

  #tableOptions(info: RequestInfo, metadata: Record<string, unknown>, withColumns: boolean) {
    const wanted = info.query.get('includeObject');
    const includeObject: 'None' | 'Metadata' | 'Object' =
      wanted === 'None' || wanted === 'Object' ? wanted : 'Metadata';
    return { now: this.#env.clock.now(), metadata, includeObject, withColumns };
  }

  async list(exchange: Exchange, info: RequestInfo, resource: ResourceInfo): Promise<void> {
    const form = acceptedForm(exchange.request);
    const { namespace, query } = info;
    const listed = await listPage(this.#store, { info: resource, namespace, query });
    if (form.kind === 'object') return sendText(exchange, listText(resource, listed));
    const metadata = listMetadata(listed);
    const objects = listed.items.map(objectOf);
    if (form.kind === 'table')
      return sendJson(
        exchange,
        toTable(resource, objects, this.#tableOptions(info, metadata, true)),
      );
    const items = objects.map((one) => ({
      kind: 'PartialObjectMetadata',
      apiVersion: 'meta.k8s.io/v1',
      metadata: one.metadata,
    }));
    sendJson(exchange, {
      kind: 'PartialObjectMetadataList',
      apiVersion: 'meta.k8s.io/v1',
      metadata,
      items,
    });
  }

  async watch(exchange: Exchange, info: RequestInfo, resource: ResourceInfo): Promise<void> {
    const form = acceptedForm(exchange.request);
    const { namespace, query, name } = info;
    let isFirst = true;
    const line = (event: WatchEventText): string => {
      const object = JSON.parse(lineOf(event)) as { type: string; object: KubeObject };
      if (form.kind === 'metadata') {
        const partial = {
          kind: 'PartialObjectMetadata',
          apiVersion: 'meta.k8s.io/v1',
          metadata: object.object.metadata,
        };
        return `${JSON.stringify({ type: object.type, object: partial })}\n`;
      }
      const { resourceVersion } = object.object.metadata;
      const table = toTable(
        resource,
        [object.object],
        this.#tableOptions(info, { resourceVersion }, isFirst),
      );
      isFirst = false;
      return `${JSON.stringify({ type: object.type, object: table })}\n`;
    };
    const watch = new Watch(
      this.#store,
      {
        request: { info: resource, namespace, name, query },
        response: exchange.response,
        contentType: 'application/json',
        ...(form.kind === 'object' ? {} : { line }),
      },
      this.#env,
    );
    await watch.start();
    await watch.ended;
  }
}

function listMetadata(listed: Listed): Record<string, unknown> {
  return {
    resourceVersion: String(listed.revision),
    ...(listed.next === undefined ? {} : { continue: listed.next }),
    ...(listed.remaining === undefined ? {} : { remainingItemCount: listed.remaining }),
  };
}
