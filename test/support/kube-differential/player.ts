// Plays requests against an API server and writes down what it answers, normalised.
import { parse as parseYaml } from 'yaml';
import type { RawAnswer, RawRequest, SendRaw } from '#test/support/kube-sender.ts';
import { Normaliser } from './normalise.ts';

type Json = Record<string, unknown>;

/** One answer, as it is kept and compared. */
export interface Entry {
  readonly step: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

export interface Ask {
  readonly query?: string;
  readonly accept?: string;
  readonly contentType?: string;
  /** Text goes as it is, everything else as JSON. */
  readonly body?: unknown;
}

/** Headers that clients act upon; what is usual is left out. */
const usual: Readonly<Record<string, string>> = {
  'content-type': 'application/json',
  'cache-control': 'no-cache, private',
};
const kept = ['content-type', 'cache-control', 'warning', 'retry-after', 'location', 'allow'];

export class Player {
  readonly entries: Entry[] = [];
  readonly #send: SendRaw;
  readonly #normaliser = new Normaliser();

  constructor(send: SendRaw) {
    this.#send = send;
  }

  /** Sends, keeps the answer, and gives its body as it came. */
  async ask(step: string, method: string, path: string, ask: Ask = {}): Promise<Json> {
    const { status, headers, bytes } = await this.#send(requestOf(method, path, ask));
    const value = bodyOf(headers, bytes);
    const entries = kept.flatMap((name) => {
      const found = headers[name];
      if (found === undefined || found === usual[name]) return [];
      return [[name, this.#normaliser.text(String(found))]];
    });
    this.entries.push({
      step,
      status,
      headers: Object.fromEntries(entries) as Record<string, string>,
      body: typeof value === 'string' ? this.#normaliser.text(value) : this.#normaliser.body(value),
    });
    return value as Json;
  }

  /** Sends without keeping: what a scene needs and is not about. */
  async quietly(method: string, path: string, ask: Ask = {}): Promise<Json> {
    const { headers, bytes } = await this.#send(requestOf(method, path, ask));
    return bodyOf(headers, bytes) as Json;
  }
}

function requestOf(method: string, path: string, ask: Ask): RawRequest {
  const { query, accept = 'application/json', body, contentType = 'application/json' } = ask;
  return {
    method,
    path: query === undefined ? path : `${path}?${query}`,
    headers: {
      accept,
      'user-agent': 'scene/1',
      ...(body === undefined ? {} : { 'content-type': contentType }),
    },
    body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
  };
}

function bodyOf(headers: RawAnswer['headers'], bytes: Buffer): unknown {
  const type = String(headers['content-type']);
  const text = bytes.toString();
  if (type.startsWith('application/json')) return JSON.parse(text) as unknown;
  if (type.startsWith('application/yaml')) return parseYaml(text) as unknown;
  if (type.startsWith('application/vnd.kubernetes.protobuf')) return '<protobuf>';
  return text;
}
