// Takes each request through authentication, authorization and its verb. What is not about a resource
// (health, discovery, OpenAPI) is in public-paths.ts.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { Env } from '#env/env.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { ApiError, invalid } from '#kube/meta/status.ts';
import type { TypeRegistry } from '#kube/types/registry.ts';
import type { Store } from '#store/store.ts';
import { Authenticator, impersonated } from './authentication.ts';
import { acceptedForm, readBody, sendJson, sendStatus, sendText, type Exchange } from './bodies.ts';
import { allocateClusterIp } from './cluster-ips.ts';
import { ensure } from './bootstrap.ts';
import { Definitions } from './crd/definitions.ts';
import { validateCustom } from './crd/object-validation.ts';
import {
  kubeletPath,
  nodeAddress,
  proxyRequest,
  proxyUpgrade,
  type KubeletClient,
} from './kubelet-proxy.ts';
import { listPage, listText, Watch, type Listed } from './lists.ts';
import { objectOf, textOf } from './object-store.ts';
import { PublicPaths } from './public-paths.ts';
import { toTable } from './printers/table.ts';
import { isAllowed, type AccessRequest } from './rbac.ts';
import { parseRequest, type RequestInfo } from './request-info.ts';
import { Resources, type DeleteOptions, type PatchType, type WriteContext } from './resources.ts';
import { RoleCache } from './role-cache.ts';
import { bind, evict, requestToken, review, scaleOf, updateScale } from './subresources.ts';
import type { TokenAuthority } from './tokens.ts';
import { anonymous, type UserInfo } from './user.ts';
import { lineOf, type WatchEventText } from './watch-hub.ts';

export interface HandlerOptions {
  readonly store: Store;
  readonly registry: TypeRegistry;
  readonly tokens: TokenAuthority;
  readonly serviceCidr: string;
  readonly kubelet: KubeletClient;
}

const patchTypes: Readonly<Record<string, PatchType>> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply',
};

const reviewResources = new Set([
  'selfsubjectaccessreviews',
  'subjectaccessreviews',
  'localsubjectaccessreviews',
  'selfsubjectrulesreviews',
  'selfsubjectreviews',
  'tokenreviews',
]);

const streamed = new Set(['exec', 'attach', 'portforward']);

export class Handler {
  readonly registry: TypeRegistry;
  readonly resources: Resources;
  readonly #options: HandlerOptions;
  readonly #env: Env;
  readonly #authenticator: Authenticator;
  readonly #public: PublicPaths;
  readonly #definitions: Definitions;
  #roles: RoleCache | undefined;

  constructor(options: HandlerOptions, env: Env) {
    this.#options = options;
    this.#env = env;
    this.registry = options.registry;
    const { store, registry, serviceCidr } = options;
    this.resources = new Resources(
      {
        store,
        registry,
        extraValidation: async (info, object) => this.#validateCustom(info, object),
        allocate: (info, object) => allocateClusterIp(this.resources, serviceCidr, info, object),
      },
      env,
    );
    this.#definitions = new Definitions(store, registry, this.resources, env);
    this.#authenticator = new Authenticator({
      tokens: options.tokens,
      lookup: (resource, namespace, name) => this.resources.get('', resource, namespace, name),
      now: () => env.clock.now(),
    });
    this.#public = new PublicPaths({ registry, tokens: options.tokens });
  }

  async loadDefinitions(): Promise<void> {
    this.#roles = await RoleCache.start(this.#options.store);
    await this.#definitions.start();
  }

  setAddress(host: string, port: number): void {
    this.#public.setAddress(`${host}:${port}`);
  }

  async publishEndpoint(host: string, port: number): Promise<void> {
    const name = 'kubernetes';
    const namespace = 'default';
    const labels = { 'kubernetes.io/service-name': name };
    const endpoints = [{ addresses: [host], conditions: { ready: true } }];
    const ports = [{ name: 'https', port, protocol: 'TCP' }];
    const slice: KubeObject = {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name, namespace, labels },
      addressType: 'IPv4',
      endpoints,
      ports,
    };
    await ensure(this, slice, (live) => ({ ...live, endpoints, ports }));
    const subsets = [{ addresses: [{ ip: host }], ports }];
    const whole: KubeObject = {
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: { name, namespace },
      subsets,
    };
    await ensure(this, whole, (live) => ({ ...live, subsets }));
  }

  close(): void {
    this.#definitions.close();
    this.#roles?.close();
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const exchange = { request, response };
    response.on('error', () => {});
    try {
      const info = parseRequest(request.method ?? 'GET', request.url ?? '/');
      const user = await this.#identify(request, info);
      if (!info.isResource) return await this.#public.handle(exchange, info);
      await this.#resource(exchange, info, user);
    } catch (error) {
      this.#answerError(exchange, error);
    }
  }

  /** Upgrades are exec, attach and port-forward; errors before the upgrade are plain answers. */
  async handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => {});
    try {
      const info = parseRequest(request.method ?? 'GET', request.url ?? '/');
      await this.#identify(request, info);
      const target = await this.#kubeletTarget(info);
      await proxyUpgrade(this.#options.kubelet, target, { request, socket, head });
    } catch (error) {
      const status = error instanceof ApiError ? error.toStatus() : internal(error).toStatus();
      const body = JSON.stringify(status);
      socket.end(
        `HTTP/1.1 ${status.code} ${status.reason ?? 'Error'}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
      );
    }
  }

  #answerError(exchange: Exchange, error: unknown): void {
    if (error instanceof ApiError) return sendStatus(exchange, error.toStatus());
    this.#env.log.error('A request failed', { url: exchange.request.url, error });
    if (exchange.response.headersSent) exchange.response.destroy();
    else sendStatus(exchange, internal(error).toStatus());
  }

  async #identify(request: IncomingMessage, info: RequestInfo): Promise<UserInfo> {
    const socket = socketOf(request);
    const real = await this.#authenticator.authenticate(request.headers, socket);
    const acted = impersonated(request.headers);
    if (acted !== undefined) {
      const access = {
        ...accessOf(info, real),
        verb: 'impersonate',
        isResource: true,
        group: '',
        resource: 'users',
        subresource: undefined,
        namespace: undefined,
        name: acted.name,
      };
      this.#authorize(access);
    }
    const user = acted ?? real;
    // A request without credentials for something that is not public is refused as such.
    this.#authorize(accessOf(info, user));
    return user;
  }

  #authorize(access: AccessRequest): void {
    if (this.#roles !== undefined && isAllowed(this.#roles, access)) return;
    throw forbidden(access);
  }

  async #resource(exchange: Exchange, info: RequestInfo, user: UserInfo): Promise<void> {
    const resource = this.registry.byResource(info.group, info.version, info.resource);
    if (resource === undefined) throw unknownResource();
    if (reviewResources.has(info.resource)) return await this.#review(exchange, info, user);
    if (info.subresource !== undefined && info.verb === 'list') throw unknownResource();
    const verbs =
      info.subresource === undefined
        ? resource.verbs
        : (resource.subresources.find(({ name }) => name === info.subresource)?.verbs ?? []);
    if (info.subresource !== undefined && verbs.length === 0) throw unknownResource();
    if (!verbs.includes(info.verb) && !(info.verb === 'watch' && verbs.includes('watch'))) {
      throw new ApiError(
        405,
        'MethodNotAllowed',
        'the server does not allow this method on the requested resource',
      );
    }
    if (isProxied(info)) return await this.#proxy(exchange, info);
    switch (info.verb) {
      case 'get':
        return await this.#get(exchange, info, resource);
      case 'list':
        return await this.#list(exchange, info, resource);
      case 'watch':
        return await this.#watch(exchange, info, resource);
      case 'create':
        return await this.#create(exchange, info, this.#context(exchange, info, resource, user));
      case 'update':
      case 'patch':
        return await this.#change(exchange, info, this.#context(exchange, info, resource, user));
      case 'delete':
      case 'deletecollection':
        return await this.#delete(exchange, info, this.#context(exchange, info, resource, user));
    }
  }

  #context(
    exchange: Exchange,
    info: RequestInfo,
    resource: ResourceInfo,
    user: UserInfo,
  ): WriteContext {
    const { query } = info;
    const validation = query.get('fieldValidation');
    const agent =
      String(exchange.request.headers['user-agent'] ?? 'unknown').split('/')[0] ?? 'unknown';
    return {
      info: resource,
      subresource: info.subresource,
      namespace: info.namespace,
      user,
      fieldManager: query.get('fieldManager') || agent,
      fieldValidation: validation === 'Strict' || validation === 'Ignore' ? validation : 'Warn',
      isDryRun: query.get('dryRun') === 'All',
      warnings: [],
    };
  }

  // ---- reading ----

  async #get(exchange: Exchange, info: RequestInfo, resource: ResourceInfo): Promise<void> {
    const kv = await this.resources.need(resource, info.namespace, info.name ?? '');
    const form = acceptedForm(exchange.request);
    if (info.subresource === 'scale') {
      const context = { info: resource } as WriteContext;
      return sendJson(exchange, scaleOf(context, objectOf(kv)));
    }
    if (form.kind === 'object' && info.query.get('pretty') === null)
      return sendText(exchange, textOf(kv));
    this.#sendObject(exchange, info, resource, objectOf(kv));
  }

  #sendObject(
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

  async #list(exchange: Exchange, info: RequestInfo, resource: ResourceInfo): Promise<void> {
    const form = acceptedForm(exchange.request);
    const { namespace, query } = info;
    const listed = await listPage(this.#options.store, { info: resource, namespace, query });
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

  async #watch(exchange: Exchange, info: RequestInfo, resource: ResourceInfo): Promise<void> {
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
      this.#options.store,
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

  // ---- writing ----

  async #body(
    exchange: Exchange,
  ): Promise<{ value: unknown; contentType: string; duplicates: readonly string[] }> {
    const body = await readBody(exchange.request);
    return body ?? { value: undefined, contentType: '', duplicates: [] };
  }

  async #review(exchange: Exchange, info: RequestInfo, user: UserInfo): Promise<void> {
    const { value } = await this.#body(exchange);
    const roles = this.#roles;
    if (info.verb !== 'create' || roles === undefined) throw unknownResource();
    const services = { roles, authenticate: (token: string) => this.#authenticator.token(token) };
    sendJson(exchange, await review(services, info.resource, user, value as KubeObject), {
      status: 201,
    });
  }

  async #create(exchange: Exchange, info: RequestInfo, context: WriteContext): Promise<void> {
    const { value, duplicates } = await this.#body(exchange);
    const { name = '', subresource } = info;
    const body = (value ?? {}) as KubeObject;
    if (info.resource === 'bindings' && subresource === undefined) {
      const pods = this.registry.byResource('', 'v1', 'pods');
      const asPod = { ...context, info: pods ?? context.info };
      return sendJson(
        exchange,
        await bind(this.resources, asPod, body.metadata?.name ?? '', body, this.#env),
        { status: 201 },
      );
    }
    if (subresource === 'binding')
      return sendJson(exchange, await bind(this.resources, context, name, body, this.#env), {
        status: 201,
      });
    if (subresource === 'eviction')
      return sendJson(exchange, await evict(this.resources, context, name, body), { status: 201 });
    if (subresource === 'token') {
      const services = { resources: this.resources, tokens: this.#options.tokens, env: this.#env };
      return sendJson(exchange, await requestToken(services, context, name, body), { status: 201 });
    }
    if (subresource !== undefined) throw unknownResource();
    const object = await this.resources.create(
      context,
      this.resources.decode(context, value, duplicates),
    );
    await this.#definitions.onWritten(context.info);
    this.#sendObject(exchange, info, context.info, object, {
      status: 201,
      warnings: context.warnings,
    });
  }

  async #change(exchange: Exchange, info: RequestInfo, context: WriteContext): Promise<void> {
    const { name = '', query } = info;
    const body = await this.#body(exchange);
    const type = patchTypes[body.contentType];
    if (info.verb === 'patch' && type === undefined) {
      const message = `the body of the request was in an unknown format - accepted media types include: ${Object.keys(patchTypes).join(', ')}`;
      throw new ApiError(415, 'UnsupportedMediaType', message);
    }
    if (info.subresource === 'scale') return await this.#scale(exchange, info, context, body.value);
    if (type === 'apply' && query.get('fieldManager') === null) {
      throw invalid({ group: 'meta.k8s.io', kind: 'PatchOptions' }, '', [
        {
          reason: 'FieldValueRequired',
          message: 'Required value: is required for apply patch',
          field: 'fieldManager',
        },
      ]);
    }
    const isFinalize = info.subresource === 'finalize';
    const own = isFinalize ? { ...context, subresource: undefined } : context;
    const written =
      type === undefined
        ? await this.resources.update(
            own,
            name,
            this.resources.decode(own, body.value, body.duplicates),
          )
        : await this.resources.patch(own, name, {
            type,
            patch: body.value,
            force: query.get('force') === 'true',
          });
    await this.#definitions.onWritten(context.info);
    const status = written.isCreated ? 201 : 200;
    this.#sendObject(exchange, info, context.info, written.object, {
      status,
      warnings: context.warnings,
    });
  }

  async #scale(
    exchange: Exchange,
    info: RequestInfo,
    context: WriteContext,
    body: unknown,
  ): Promise<void> {
    const given = body as KubeObject;
    const isPatch = info.verb === 'patch';
    const scale = await updateScale(this.resources, context, info.name ?? '', (before) => {
      if (!isPatch) return given;
      const { resourceVersion: _version, ...metadata } = before.metadata;
      return { ...before, metadata, spec: { ...before['spec'], ...given['spec'] } };
    });
    sendJson(exchange, scale);
  }

  async #delete(exchange: Exchange, info: RequestInfo, context: WriteContext): Promise<void> {
    const { value } = await this.#body(exchange);
    const options = {
      ...deleteOptionsOf(info.query),
      ...((value ?? {}) as DeleteOptions & { dryRun?: string[] }),
    };
    const isDryRun =
      context.isDryRun || (options as { dryRun?: string[] }).dryRun?.includes('All') === true;
    const own = { ...context, isDryRun };
    if (info.verb === 'deletecollection') {
      const { namespace, query } = info;
      const listed = await listPage(this.#options.store, { info: context.info, namespace, query });
      for (const kv of listed.items) {
        const object = objectOf(kv);
        const place = { ...own, namespace: object.metadata.namespace };
        await this.resources
          .delete(place, object.metadata.name ?? '', options)
          .catch(ignoreNotFound);
      }
      await this.#definitions.onWritten(context.info);
      return sendText(exchange, listText(context.info, listed));
    }
    const { object, gone } = await this.resources.delete(own, info.name ?? '', options);
    await this.#definitions.onWritten(context.info);
    if (!gone) return this.#sendObject(exchange, info, context.info, object);
    const { name, uid } = object.metadata;
    const group = context.info.group === '' ? {} : { group: context.info.group };
    const details = { name, ...group, kind: context.info.resource, uid };
    const isWhole = context.info.group === '' && context.info.resource === 'pods';
    if (isWhole) return this.#sendObject(exchange, info, context.info, object);
    sendJson(exchange, {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Success',
      details,
    });
  }

  #validateCustom(info: ResourceInfo, object: KubeObject): void {
    if (info.customResourceDefinition === undefined) return;
    const causes = validateCustom(info.schema, object);
    if (causes.length > 0) throw invalid(info, object.metadata.name ?? '', causes);
  }

  // ---- nodes ----

  async #kubeletTarget(info: RequestInfo): Promise<{ host: string; port: number; path: string }> {
    const pod = await this.resources.get('', 'pods', info.namespace, info.name ?? '');
    if (pod === undefined) {
      throw new ApiError(404, 'NotFound', `pods "${info.name}" not found`, {
        name: info.name ?? '',
        kind: 'pods',
      });
    }
    const path = kubeletPath(pod, info.subresource ?? '', info.query);
    const nodeName = pod['spec']?.nodeName;
    if (!nodeName) {
      const message = `pod ${info.name} does not have a host assigned`;
      throw new ApiError(400, 'BadRequest', message);
    }
    const node = await this.resources.get('', 'nodes', undefined, nodeName);
    if (node === undefined)
      throw new ApiError(404, 'NotFound', `nodes "${nodeName}" not found`, {
        name: nodeName,
        kind: 'nodes',
      });
    return { ...nodeAddress(node), path };
  }

  async #proxy(exchange: Exchange, info: RequestInfo): Promise<void> {
    if (info.resource === 'nodes') {
      const node = await this.resources.get('', 'nodes', undefined, info.name ?? '');
      if (node === undefined) throw unknownResource();
      const path = `/${info.rest}${info.query.size === 0 ? '' : `?${info.query}`}`;
      return await proxyRequest(this.#options.kubelet, { ...nodeAddress(node), path }, exchange);
    }
    if (info.subresource === 'proxy') {
      throw new ApiError(
        501,
        'NotImplemented',
        'the proxy subresource of pods and services is not implemented',
      );
    }
    if (streamed.has(info.subresource ?? ''))
      throw new ApiError(400, 'BadRequest', 'Upgrade request required');
    await proxyRequest(this.#options.kubelet, await this.#kubeletTarget(info), exchange);
  }
}

function isProxied(info: RequestInfo): boolean {
  const { resource, subresource } = info;
  if (subresource === undefined) return false;
  if (subresource === 'proxy') return true;
  return resource === 'pods' && (subresource === 'log' || streamed.has(subresource));
}

/** HTTP/2 requests have their socket on the session. */
function socketOf(request: IncomingMessage): TLSSocket {
  const stream = (request as unknown as { stream?: { session?: { socket?: TLSSocket } } }).stream;
  return stream?.session?.socket ?? (request.socket as TLSSocket);
}

function accessOf(info: RequestInfo, user: UserInfo): AccessRequest {
  const { verb, isResource, group, resource, subresource, namespace, name, path } = info;
  return {
    user,
    verb,
    isResource,
    group,
    resource,
    subresource,
    namespace: resource === 'namespaces' ? undefined : namespace,
    name,
    path,
  };
}

function internal(error: unknown): ApiError {
  return new ApiError(500, 'InternalError', `Internal error occurred: ${(error as Error).message}`);
}

function unknownResource(): ApiError {
  return new ApiError(404, 'NotFound', 'the server could not find the requested resource');
}

function forbidden(access: AccessRequest): ApiError {
  const {
    user,
    verb,
    isResource,
    group,
    resource,
    subresource,
    namespace,
    name = '',
    path,
  } = access;
  const who = JSON.stringify(user.name);
  if (!isResource) {
    const message = `forbidden: User ${who} cannot ${verb} path ${JSON.stringify(path)}`;
    if (user === anonymous) return new ApiError(403, 'Forbidden', message);
    return new ApiError(403, 'Forbidden', message);
  }
  const full = subresource === undefined ? resource : `${resource}/${subresource}`;
  const qualified = group === '' ? resource : `${resource}.${group}`;
  const place =
    namespace === undefined || namespace === ''
      ? 'at the cluster scope'
      : `in the namespace ${JSON.stringify(namespace)}`;
  const named = name === '' ? '' : ` ${JSON.stringify(name)}`;
  const message = `${qualified}${named} is forbidden: User ${who} cannot ${verb} resource ${JSON.stringify(full)} in API group ${JSON.stringify(group)} ${place}`;
  return new ApiError(403, 'Forbidden', message, {
    ...(name === '' ? {} : { name }),
    ...(group === '' ? {} : { group }),
    kind: resource,
  });
}

function listMetadata(listed: Listed): Record<string, unknown> {
  return {
    resourceVersion: String(listed.revision),
    ...(listed.next === undefined ? {} : { continue: listed.next }),
    ...(listed.remaining === undefined ? {} : { remainingItemCount: listed.remaining }),
  };
}

function deleteOptionsOf(query: URLSearchParams): DeleteOptions {
  const grace = query.get('gracePeriodSeconds');
  const policy = query.get('propagationPolicy');
  return {
    ...(grace === null ? {} : { gracePeriodSeconds: Number(grace) }),
    ...(policy === null ? {} : { propagationPolicy: policy }),
  };
}

function ignoreNotFound(error: unknown): void {
  if (!(error instanceof ApiError) || error.reason !== 'NotFound') throw error;
}
