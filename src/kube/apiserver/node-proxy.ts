// Requests that end at a node or a pod: logs, exec, attach, port-forward, and the proxy of nodes, pods and
// services.
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { ApiError, notFound } from '#kube/meta/status.ts';
import { accessOf } from './access.ts';
import type { Authorizer } from './authz/authorizer.ts';
import type { Exchange } from './bodies.ts';
import { admitConnection } from './connections.ts';
import {
  kubeletPath,
  nodeAddress,
  proxyRequest,
  proxyUpgrade,
  type KubeletClient,
} from './kubelet-proxy.ts';
import {
  passToPod,
  proxiedPath,
  proxyTarget,
  upgradeToPod,
  type Preference,
  type ProxiedPlace,
} from './resource-proxy.ts';
import type { RequestInfo } from './request-info.ts';
import type { Resources, WriteContext } from './resources.ts';

const streamed = new Set(['exec', 'attach', 'portforward']);

export function isProxied(info: RequestInfo): boolean {
  const { resource, subresource } = info;
  if (subresource === undefined) return false;
  if (subresource === 'proxy') return true;
  return resource === 'pods' && (subresource === 'log' || streamed.has(subresource));
}

/** Where a proxied request goes below its target: as the client wrote it, unless admission changed it. */
function pathBelow(url: string, asked: RequestInfo, admitted: RequestInfo): string {
  const { path } = proxiedPath(url);
  if (asked.rest === admitted.rest) return path;
  const [, ...query] = path.split('?');
  return [`/${admitted.rest}`, ...query].join('?');
}

/** Undefined for nodes. */
function placeOf(info: RequestInfo, path: string): ProxiedPlace | undefined {
  const { resource, subresource, namespace = '', name = '' } = info;
  if (subresource !== 'proxy' || (resource !== 'pods' && resource !== 'services')) return undefined;
  return { resource, namespace, id: name, path: path || '/' };
}

/** Links of what is there are relative to a folder. */
function redirectToFolder({ response }: Exchange, url: string): void {
  const [path = '', query] = url.split('?');
  const tail = query === undefined ? '' : `?${query}`;
  response.writeHead(301, { Location: `${path}/${tail}`, 'Content-Length': '0' });
  response.end();
}

export class NodeProxy {
  readonly #kubelet: KubeletClient;
  readonly #preference: Preference;
  readonly #resources: Resources;
  readonly #authorizer: Authorizer;

  constructor(
    kubelet: KubeletClient,
    resources: Resources,
    preference: Preference,
    authorizer: Authorizer,
  ) {
    this.#preference = preference;
    this.#kubelet = kubelet;
    this.#resources = resources;
    this.#authorizer = authorizer;
  }

  /** `context` is of the resource that the connection is below. */
  async upgrade(
    asked: RequestInfo,
    context: WriteContext,
    connection: { request: IncomingMessage; socket: Duplex; head: Buffer },
  ): Promise<void> {
    const info = await this.#admitted(asked, context);
    const place = placeOf(info, pathBelow(connection.request.url ?? '/', asked, info));
    if (place !== undefined) {
      const target = await proxyTarget(this.#resources, place, this.#preference);
      return await upgradeToPod(target, connection);
    }
    await proxyUpgrade(this.#kubelet, await this.#kubeletTarget(info), connection);
  }

  async request(exchange: Exchange, asked: RequestInfo, context: WriteContext): Promise<void> {
    const info = await this.#admitted(asked, context);
    if (info.subresource === 'proxy') return await this.#proxy(exchange, asked, info);
    const target = await this.#kubeletTarget(info);
    if (streamed.has(info.subresource ?? ''))
      throw new ApiError(400, 'BadRequest', 'Upgrade request required');
    await proxyRequest(this.#kubelet, target, exchange);
  }

  /** To run something in a pod is to create, also for who says GET, as websockets do. Throws ApiError. */
  async #admitted(asked: RequestInfo, context: WriteContext): Promise<RequestInfo> {
    const info = await admitConnection(this.#resources, context, asked);
    if (info.verb === 'create' || !streamed.has(info.subresource ?? '')) return info;
    const access = { ...accessOf(info, context.user), verb: 'create' };
    const { kind, reason } = await this.#authorizer.authorize(access);
    if (kind === 'allow') return info;
    const { resource, name = '' } = info;
    const message = `${resource} ${JSON.stringify(name)} is forbidden: ${reason}`;
    throw new ApiError(403, 'Forbidden', message, { name, kind: resource });
  }

  async #proxy(exchange: Exchange, asked: RequestInfo, info: RequestInfo): Promise<void> {
    const { url = '/', method } = exchange.request;
    const { prefix } = proxiedPath(url);
    const path = pathBelow(url, asked, info);
    const isFolder = path === '' && (method === 'GET' || method === 'HEAD');
    const place = placeOf(info, path);
    if (place !== undefined) {
      const target = await proxyTarget(this.#resources, place, this.#preference);
      if (isFolder) return redirectToFolder(exchange, url);
      return await passToPod(target, prefix, exchange);
    }
    const name = info.name ?? '';
    const node = await this.#resources.get('', 'nodes', undefined, name);
    if (node === undefined) throw notFound({ group: '', resource: 'nodes' }, name);
    if (isFolder) return redirectToFolder(exchange, url);
    const target = { ...nodeAddress(node), path: path === '' ? '/' : path };
    await proxyRequest(this.#kubelet, target, exchange);
  }

  async #kubeletTarget(info: RequestInfo): Promise<{ host: string; port: number; path: string }> {
    const pod = await this.#resources.get('', 'pods', info.namespace, info.name ?? '');
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
    const node = await this.#resources.get('', 'nodes', undefined, nodeName);
    if (node === undefined)
      throw new ApiError(404, 'NotFound', `nodes "${nodeName}" not found`, {
        name: nodeName,
        kind: 'nodes',
      });
    return { ...nodeAddress(node), path };
  }
}
