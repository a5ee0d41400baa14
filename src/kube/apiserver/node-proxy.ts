// Requests that end at a node or a pod: logs, exec, attach, port-forward, and the proxy of nodes, pods and
// services.
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { ApiError, notFound } from '#kube/meta/status.ts';
import type { Exchange } from './bodies.ts';
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
  type ProxiedPlace,
} from './resource-proxy.ts';
import type { RequestInfo } from './request-info.ts';
import type { Resources } from './resources.ts';

const streamed = new Set(['exec', 'attach', 'portforward']);

export function isProxied(info: RequestInfo): boolean {
  const { resource, subresource } = info;
  if (subresource === undefined) return false;
  if (subresource === 'proxy') return true;
  return resource === 'pods' && (subresource === 'log' || streamed.has(subresource));
}

/** Undefined for nodes. */
function placeOf(info: RequestInfo, url: string): ProxiedPlace | undefined {
  const { resource, subresource, namespace = '', name = '' } = info;
  if (subresource !== 'proxy' || (resource !== 'pods' && resource !== 'services')) return undefined;
  return { resource, namespace, id: name, path: proxiedPath(url).path || '/' };
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
  /** In [0, 1). */
  readonly #random: () => number;
  readonly #resources: Resources;

  constructor(kubelet: KubeletClient, resources: Resources, random: () => number) {
    this.#random = random;
    this.#kubelet = kubelet;
    this.#resources = resources;
  }

  async upgrade(
    info: RequestInfo,
    connection: { request: IncomingMessage; socket: Duplex; head: Buffer },
  ): Promise<void> {
    const place = placeOf(info, connection.request.url ?? '/');
    if (place !== undefined) {
      const target = await proxyTarget(this.#resources, place, this.#random);
      return await upgradeToPod(target, connection);
    }
    await proxyUpgrade(this.#kubelet, await this.#kubeletTarget(info), connection);
  }

  async request(exchange: Exchange, info: RequestInfo): Promise<void> {
    if (info.subresource === 'proxy') {
      const { url = '/', method } = exchange.request;
      const { prefix, path } = proxiedPath(url);
      if (path === '' && (method === 'GET' || method === 'HEAD')) {
        return redirectToFolder(exchange, url);
      }
      const place = placeOf(info, url);
      if (place !== undefined) {
        const target = await proxyTarget(this.#resources, place, this.#random);
        return await passToPod(target, prefix, exchange);
      }
      const name = info.name ?? '';
      const node = await this.#resources.get('', 'nodes', undefined, name);
      if (node === undefined) throw notFound({ group: '', resource: 'nodes' }, name);
      const target = { ...nodeAddress(node), path: path === '' ? '/' : path };
      return await proxyRequest(this.#kubelet, target, exchange);
    }
    if (streamed.has(info.subresource ?? ''))
      throw new ApiError(400, 'BadRequest', 'Upgrade request required');
    await proxyRequest(this.#kubelet, await this.#kubeletTarget(info), exchange);
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
