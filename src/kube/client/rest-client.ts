// A small REST client of the API server: JSON calls and watches over HTTPS, with the
// identity of a kubeconfig. One connection pool; a watch has a connection of its own.
import { Agent, request } from 'node:https';
import type { RequestOptions } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { Fault } from '#base/fault.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { ApiError } from '#kube/meta/status.ts';
import type { StatusDetails } from '#kube/meta/status.ts';
import type { ApiCall } from './api-call.ts';

interface Named<T> {
  readonly name: string;
  readonly [field: string]: T | string;
}

interface Kubeconfig {
  readonly 'current-context'?: string;
  readonly contexts?: readonly Named<{ readonly cluster: string; readonly user: string }>[];
  readonly clusters?: readonly Named<Readonly<Record<string, string>>>[];
  readonly users?: readonly Named<Readonly<Record<string, string>>>[];
}

interface Access {
  readonly server: URL;
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly token: string | undefined;
}

function pem(base64: string | undefined): string | undefined {
  return base64 === undefined ? undefined : Buffer.from(base64, 'base64').toString('utf8');
}

/** Data must be inline: the config comes through the environment, not with files. */
export function readAccess(kubeconfig: unknown): Access {
  const config = (kubeconfig ?? {}) as Kubeconfig;
  const wanted = config['current-context'];
  const context = config.contexts?.find(({ name }) => name === wanted) ?? config.contexts?.[0];
  const names = context?.['context'] as { cluster: string; user: string } | undefined;
  const cluster = config.clusters?.find(({ name }) => name === names?.cluster)?.['cluster'];
  const user = config.users?.find(({ name }) => name === names?.user)?.['user'];
  const where = cluster as Readonly<Record<string, string>> | undefined;
  const who = user as Readonly<Record<string, string>> | undefined;
  if (where?.['server'] === undefined) {
    throw new Fault({ code: 'kubeconfig' }, 'Cannot reach the API server: no server in kubeconfig');
  }
  return {
    server: new URL(where['server']),
    ca: pem(where['certificate-authority-data']),
    cert: pem(who?.['client-certificate-data']),
    key: pem(who?.['client-key-data']),
    token: who?.['token'],
  };
}

export type WatchEvent = {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: KubeObject;
};

const callTimeoutMs = 30_000;
const bodyBytesMax = 64 * 1024 * 1024;

function failure(code: number, text: string): ApiError {
  try {
    const status = JSON.parse(text) as {
      readonly kind?: string;
      readonly reason?: string;
      readonly message?: string;
      readonly details?: StatusDetails;
    };
    if (status.kind === 'Status') {
      return new ApiError(code, status.reason ?? '', status.message ?? '', status.details);
    }
  } catch {
    // Not a Status: its text is the message.
  }
  return new ApiError(code, 'Unknown', text === '' ? `status ${code}` : text.slice(0, 1024));
}

async function readBody(response: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > bodyBytesMax) throw new Fault({ code: 'api-answer' }, 'The answer is too large');
    pieces.push(chunk);
  }
  return Buffer.concat(pieces).toString('utf8');
}

export class RestClient {
  readonly #access: Access;
  readonly #agent: Agent;
  readonly #watchAgent: Agent;

  readonly #userAgent: string;

  constructor(kubeconfig: unknown, userAgent = 'strata-node') {
    this.#access = readAccess(kubeconfig);
    this.#userAgent = userAgent;
    const { ca, cert, key } = this.#access;
    const tls = { ca, cert, key };
    this.#agent = new Agent({ ...tls, keepAlive: true, maxSockets: 16 });
    this.#watchAgent = new Agent({ ...tls, keepAlive: false });
  }

  #options(path: string, agent: Agent): RequestOptions {
    const { server, token } = this.#access;
    const base = server.pathname.replace(/\/$/, '');
    return {
      agent,
      host: server.hostname.replace(/^\[|\]$/g, ''),
      port: server.port === '' ? 443 : server.port,
      path: `${base}${path}`,
      headers: {
        Accept: 'application/json',
        'User-Agent': this.#userAgent,
        ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      },
    };
  }

  call({ method, path, body, contentType }: ApiCall): Promise<unknown> {
    const options = this.#options(path, this.#agent);
    const text = body === undefined ? '' : JSON.stringify(body);
    const headers = {
      ...options.headers,
      ...(text === ''
        ? {}
        : {
            'Content-Type': contentType ?? 'application/json',
            'Content-Length': Buffer.byteLength(text),
          }),
    };
    return new Promise((done, fail) => {
      const sent = request({ ...options, method, headers }, (response) => {
        readBody(response)
          .then((answer) => {
            const { statusCode = 0 } = response;
            if (statusCode >= 400) throw failure(statusCode, answer);
            return answer === '' ? undefined : (JSON.parse(answer) as unknown);
          })
          .then(done, fail);
      });
      sent.setTimeout(callTimeoutMs, () => sent.destroy(new Error('the API server is silent')));
      sent.once('error', fail);
      sent.end(text);
    });
  }

  /** Resolves when the watch has ended; rejects with ApiError (410: list again). */
  watch(path: string, onEvent: (event: WatchEvent) => void, signal: AbortSignal): Promise<void> {
    return new Promise((done, fail) => {
      const sent = request({ ...this.#options(path, this.#watchAgent), signal }, (response) => {
        this.#readEvents(response, onEvent).then(done, fail);
      });
      sent.once('error', fail);
      sent.end();
    });
  }

  async #readEvents(
    response: IncomingMessage,
    onEvent: (event: WatchEvent) => void,
  ): Promise<void> {
    const { statusCode = 0 } = response;
    if (statusCode >= 400) throw failure(statusCode, await readBody(response));
    const decoder = new TextDecoder();
    let rest = '';
    for await (const chunk of response as AsyncIterable<Buffer>) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (line === '') continue;
        const event = JSON.parse(line) as WatchEvent;
        if (event.type === 'ERROR') {
          throw failure(Number(event.object['code'] ?? 500), JSON.stringify(event.object));
        }
        onEvent(event);
      }
    }
  }

  close(): void {
    this.#agent.destroy();
    this.#watchAgent.destroy();
  }
}
