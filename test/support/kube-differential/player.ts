// Plays requests against an API server and writes down what it answers, normalised.
import { parse as parseYaml } from 'yaml';
import type { RawAnswer, RawRequest, SendRaw } from '#test/support/kube-sender.ts';
import { exactBodyOf } from './exact-body.ts';
import { Normaliser, type NormaliserOptions } from './normalise.ts';

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
  readonly headers?: Readonly<Record<string, string>>;
}

const ABSENT = '<none>';

/** Headers that clients act upon, as they usually are; those that are so are left out. */
const usual: Readonly<Record<string, string>> = {
  'content-type': 'application/json',
  'cache-control': 'no-cache, private',
  'audit-id': '<uid>',
  'x-kubernetes-pf-flowschema-uid': '<uid>',
  'x-kubernetes-pf-prioritylevel-uid': '<uid>',
  warning: ABSENT,
  'retry-after': ABSENT,
  location: ABSENT,
  allow: ABSENT,
  vary: ABSENT,
  'content-encoding': ABSENT,
  'x-content-type-options': ABSENT,
  'www-authenticate': ABSENT,
};

export interface PlayerOptions extends NormaliserOptions {
  /** Numbers are kept as they are written; events of a watch and protobuf are looked into. */
  readonly isExact?: boolean;
}

export class Player {
  readonly entries: Entry[] = [];
  readonly #send: SendRaw;
  readonly #isExact: boolean;
  readonly #normaliser: Normaliser;

  constructor(send: SendRaw, options: PlayerOptions = {}) {
    this.#send = send;
    this.#isExact = options.isExact === true;
    this.#normaliser = new Normaliser(options);
  }

  /** Sends, keeps the answer, and gives its body as it came. */
  async ask(step: string, method: string, path: string, ask: Ask = {}): Promise<Json> {
    return this.keep(step, await this.#send(requestOf(method, path, ask))) as Json;
  }

  /** Keeps an answer, and gives its body as it came. */
  keep(step: string, { status, headers, bytes }: RawAnswer): unknown {
    const type = String(headers['content-type']);
    const exact = this.#isExact ? exactBodyOf(type, bytes) : undefined;
    const value = exact ?? bodyOf(headers, bytes);
    const entries = Object.entries(usual).flatMap(([name, wanted]) => {
      const raw = headers[name];
      const found = raw === undefined ? ABSENT : this.#normaliser.text(String(raw));
      return found === wanted ? [] : [[name, found]];
    });
    this.entries.push({
      step,
      status,
      headers: Object.fromEntries(entries) as Record<string, string>,
      body: typeof value === 'string' ? this.#normaliser.text(value) : this.#normaliser.body(value),
    });
    return value;
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
      ...ask.headers,
    },
    body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
  };
}

function bodyOf(headers: RawAnswer['headers'], bytes: Buffer): unknown {
  const type = String(headers['content-type']);
  const text = bytes.toString();
  if (text === '') return text;
  if (type.startsWith('application/json')) {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      // Several events of a watch.
      return text;
    }
  }
  if (type.startsWith('application/yaml')) return parseYaml(text) as unknown;
  if (type.startsWith('application/vnd.kubernetes.protobuf')) return '<protobuf>';
  return text;
}
