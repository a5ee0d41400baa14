// Requests that end at a node: logs, exec, attach, port-forward, and the proxy of nodes.
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { ApiError } from '#kube/meta/status.ts';
import type { Exchange } from './bodies.ts';
import { unknownResource } from './faults.ts';
import {
  kubeletPath,
  nodeAddress,
  proxyRequest,
  proxyUpgrade,
  type KubeletClient,
} from './kubelet-proxy.ts';
import type { RequestInfo } from './request-info.ts';
import type { Resources } from './resources.ts';

const streamed = new Set(['exec', 'attach', 'portforward']);

export function isProxied(info: RequestInfo): boolean {
  const { resource, subresource } = info;
  if (subresource === undefined) return false;
  if (subresource === 'proxy') return true;
  return resource === 'pods' && (subresource === 'log' || streamed.has(subresource));
}

export class NodeProxy {
  readonly #kubelet: KubeletClient;
  readonly #resources: Resources;

  constructor(kubelet: KubeletClient, resources: Resources) {
    this.#kubelet = kubelet;
    this.#resources = resources;
  }

  async upgrade(
    info: RequestInfo,
    connection: { request: IncomingMessage; socket: Duplex; head: Buffer },
  ): Promise<void> {
    await proxyUpgrade(this.#kubelet, await this.#kubeletTarget(info), connection);
  }

  async request(exchange: Exchange, info: RequestInfo): Promise<void> {
    if (info.resource === 'nodes') {
      const node = await this.#resources.get('', 'nodes', undefined, info.name ?? '');
      if (node === undefined) throw unknownResource();
      const path = `/${info.rest}${info.query.size === 0 ? '' : `?${info.query}`}`;
      return await proxyRequest(this.#kubelet, { ...nodeAddress(node), path }, exchange);
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
