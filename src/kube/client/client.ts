// The client of a Kubernetes API server that all components of an instance use: typed by object, the
// same for built-in and custom resources, with the server's errors as ApiError.
import { Fault } from '#base/fault.ts';
import { apiVersionOf, type GroupVersionResource, type KubeObject } from '#kube/meta/object.ts';
import { ApiError } from '#kube/meta/status.ts';
import { errorOf, followWatch, type WatchEvent } from './answers.ts';
import { Http2Transport } from './http2-transport.ts';
import { loadKubeconfig } from './kubeconfig.ts';
import type { ApiRequest, ApiResponse, Transport } from './transport.ts';

export interface Place {
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly subresource?: string | undefined;
}

export interface Selection {
  /** All namespaces when absent. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

export interface ListOptions extends Selection {
  readonly limit?: number | undefined;
  readonly continue?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly resourceVersionMatch?: 'Exact' | 'NotOlderThan' | undefined;
  /** Only metadata is sent; items are PartialObjectMetadata. */
  readonly isMetadataOnly?: boolean | undefined;
}

export interface WatchOptions extends Selection {
  readonly resourceVersion?: string | undefined;
  readonly allowWatchBookmarks?: boolean | undefined;
  readonly timeoutSeconds?: number | undefined;
  readonly isMetadataOnly?: boolean | undefined;
}

export interface WriteOptions {
  readonly namespace?: string | undefined;
  /** For subresources that are created (`binding`, `eviction`, `token`): whose it is. */
  readonly name?: string | undefined;
  readonly subresource?: string | undefined;
  readonly fieldManager?: string | undefined;
  readonly isDryRun?: boolean | undefined;
}

export type PatchType = 'json' | 'merge' | 'strategic' | 'apply';

export interface PatchOptions extends WriteOptions {
  readonly name: string;
  readonly type: PatchType;
  /** Of `apply`: take fields over from their managers. */
  readonly force?: boolean | undefined;
}

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number | undefined;
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan' | undefined;
  readonly preconditions?:
    | { readonly uid?: string | undefined; readonly resourceVersion?: string | undefined }
    | undefined;
}

export interface KubeList<T extends KubeObject = KubeObject> {
  readonly metadata: {
    readonly resourceVersion: string;
    readonly continue?: string | undefined;
    readonly remainingItemCount?: number | undefined;
  };
  readonly items: T[];
}

export interface KubeClientOptions {
  readonly userAgent?: string | undefined;
  readonly context?: string | undefined;
}

const contentTypes: Readonly<Record<PatchType, string>> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
};

const partialObject = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';
const partialList = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';
const WATCH_SECONDS = 300;

type Query = Readonly<Record<string, string | number | boolean | undefined>>;

interface Target {
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly subresource?: string | undefined;
}

function pathOf(resource: GroupVersionResource, place: Target, query: Query = {}): string {
  const root = resource.group === '' ? '/api' : '/apis';
  const parts = [root, apiVersionOf(resource)];
  if (place.namespace !== undefined && place.namespace !== '') {
    parts.push('namespaces', encodeURIComponent(place.namespace));
  }
  parts.push(resource.resource);
  if (place.name !== undefined) parts.push(encodeURIComponent(place.name));
  if (place.subresource !== undefined) parts.push(place.subresource);
  const asked = Object.entries(query)
    .filter(([, value]) => value !== undefined && value !== '' && value !== false)
    .map(([key, value]) => `${key}=${encodeURIComponent(String(value))}`);
  return asked.length === 0 ? parts.join('/') : `${parts.join('/')}?${asked.join('&')}`;
}

function selectionQuery({ labelSelector, fieldSelector }: Selection): Query {
  return { labelSelector, fieldSelector };
}

function writeQuery({ fieldManager, isDryRun }: WriteOptions): Query {
  return { fieldManager, dryRun: isDryRun === true ? 'All' : undefined };
}

export class KubeClient {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** A path to a kubeconfig, or its object. Nothing is connected before the first request. */
  static fromKubeconfig(source: string | object, options: KubeClientOptions = {}): KubeClient {
    const access = loadKubeconfig(source, options.context);
    return new KubeClient(new Http2Transport(access, options.userAgent ?? 'strata'));
  }

  async get<T extends KubeObject = KubeObject>(
    resource: GroupVersionResource,
    place: Place,
  ): Promise<T> {
    return (await this.#json({ method: 'GET', path: pathOf(resource, place) })) as T;
  }

  /** undefined when it does not exist. */
  async find<T extends KubeObject = KubeObject>(
    resource: GroupVersionResource,
    place: Place,
  ): Promise<T | undefined> {
    try {
      return await this.get<T>(resource, place);
    } catch (error) {
      if (hasReason(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  /** Items carry their kind and apiVersion, which the wire leaves out. */
  async list<T extends KubeObject = KubeObject>(
    resource: GroupVersionResource,
    options: ListOptions = {},
  ): Promise<KubeList<T>> {
    const { limit, resourceVersion, resourceVersionMatch, isMetadataOnly } = options;
    const query = {
      ...selectionQuery(options),
      limit,
      continue: options.continue,
      resourceVersion,
      resourceVersionMatch,
    };
    const { namespace } = options;
    const answer = (await this.#json({
      method: 'GET',
      path: pathOf(resource, { namespace }, query),
      ...(isMetadataOnly === true ? { accept: partialList } : {}),
    })) as KubeList<T> & { kind: string; apiVersion: string; items?: T[] | null };
    const kind = answer.kind.replace(/List$/, '');
    const { apiVersion } = answer;
    const items = answer.items ?? [];
    for (const item of items) {
      item.kind ??= kind;
      item.apiVersion ??= apiVersion;
    }
    return { metadata: answer.metadata, items };
  }

  async create<T extends KubeObject = KubeObject>(
    resource: GroupVersionResource,
    object: KubeObject,
    options: WriteOptions = {},
  ): Promise<T> {
    const { name, subresource } = options;
    const namespace = options.namespace ?? object.metadata?.namespace;
    const path = pathOf(resource, { namespace, name, subresource }, writeQuery(options));
    return (await this.#json({ method: 'POST', path, body: JSON.stringify(object) })) as T;
  }

  async update<T extends KubeObject = KubeObject>(
    resource: GroupVersionResource,
    object: KubeObject,
    options: WriteOptions = {},
  ): Promise<T> {
    const { subresource } = options;
    const namespace = options.namespace ?? object.metadata.namespace;
    const name = options.name ?? object.metadata.name;
    const path = pathOf(resource, { namespace, name, subresource }, writeQuery(options));
    return (await this.#json({ method: 'PUT', path, body: JSON.stringify(object) })) as T;
  }

  async updateStatus<T extends KubeObject = KubeObject>(
    resource: GroupVersionResource,
    object: KubeObject,
  ): Promise<T> {
    return await this.update<T>(resource, object, { subresource: 'status' });
  }

  async patch<T extends KubeObject = KubeObject>(
    resource: GroupVersionResource,
    options: PatchOptions,
    patch: unknown,
  ): Promise<T> {
    const query = { ...writeQuery(options), force: options.force };
    return (await this.#json({
      method: 'PATCH',
      path: pathOf(resource, options, query),
      body: JSON.stringify(patch),
      contentType: contentTypes[options.type],
    })) as T;
  }

  /** The object as it is left (or a Status when it is gone). */
  async delete(
    resource: GroupVersionResource,
    place: Place,
    options: DeleteOptions = {},
  ): Promise<KubeObject> {
    const body = JSON.stringify({ kind: 'DeleteOptions', apiVersion: 'v1', ...options });
    return (await this.#json({
      method: 'DELETE',
      path: pathOf(resource, place),
      body,
    })) as KubeObject;
  }

  async deleteCollection(
    resource: GroupVersionResource,
    selection: Selection,
    options: DeleteOptions = {},
  ): Promise<void> {
    const { namespace } = selection;
    const path = pathOf(resource, { namespace }, selectionQuery(selection));
    const body = JSON.stringify({ kind: 'DeleteOptions', apiVersion: 'v1', ...options });
    await this.#json({ method: 'DELETE', path, body });
  }

  /** See followWatch. */
  async watch<T extends KubeObject = KubeObject>(
    resource: GroupVersionResource,
    options: WatchOptions,
    onEvent: (event: WatchEvent<T>) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const { namespace, resourceVersion, allowWatchBookmarks = true } = options;
    const query = {
      watch: 'true',
      ...selectionQuery(options),
      resourceVersion,
      allowWatchBookmarks,
      timeoutSeconds: options.timeoutSeconds ?? WATCH_SECONDS,
    };
    const path = pathOf(resource, { namespace }, query);
    const request: ApiRequest = {
      method: 'GET',
      path,
      ...(options.isMetadataOnly === true ? { accept: partialObject } : {}),
    };
    await followWatch(this.#transport, request, onEvent, signal);
  }

  /** Anything else: discovery, logs, proxies. Throws ApiError for status 400 and above. */
  async request(request: ApiRequest, signal?: AbortSignal): Promise<ApiResponse> {
    const response = await this.#transport.send(request, signal);
    if (response.status >= 400) throw errorOf(response);
    return response;
  }

  async close(): Promise<void> {
    await this.#transport.close();
  }

  async #json(request: ApiRequest): Promise<unknown> {
    const response = await this.request(request);
    try {
      return JSON.parse(response.text) as unknown;
    } catch (cause) {
      const what = `${request.method} ${request.path}`;
      throw new Fault({ code: 'api-answer' }, `Cannot read the answer to ${what}`, { cause });
    }
  }
}

export function hasReason(error: unknown, ...reasons: readonly string[]): boolean {
  return error instanceof ApiError && reasons.includes(error.reason);
}
