// A client of the API server for those who know the paths themselves: JSON calls, and watches.
import { Fault } from '#base/fault.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { errorOf, followWatch, type WatchEvent } from './answers.ts';
import type { ApiCall } from './api-call.ts';
import { Http2Transport } from './http2-transport.ts';
import { loadKubeconfig } from './kubeconfig.ts';
import type { Transport } from './transport.ts';

export class RestClient {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** A path to a kubeconfig, or its object. Nothing is connected before the first request. */
  static fromKubeconfig(source: string | object, userAgent: string): RestClient {
    return new RestClient(new Http2Transport(loadKubeconfig(source), userAgent));
  }

  /** Resolves with the parsed answer; rejects with ApiError, or Fault `api-unreachable`. */
  async call({ method, path, body, contentType }: ApiCall): Promise<unknown> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const answer = await this.#transport.send({ method, path, body: text, contentType });
    if (answer.status >= 400) throw errorOf(answer);
    if (answer.text === '') return undefined;
    try {
      return JSON.parse(answer.text) as unknown;
    } catch (cause) {
      throw new Fault({ code: 'api-answer' }, `Cannot read the answer to ${method} ${path}`, {
        cause,
      });
    }
  }

  /** See followWatch. */
  async watch(
    path: string,
    onEvent: (event: WatchEvent) => void,
    signal: AbortSignal,
  ): Promise<void> {
    await followWatch<KubeObject>(this.#transport, { method: 'GET', path }, onEvent, signal);
  }

  async close(): Promise<void> {
    await this.#transport.close();
  }
}
