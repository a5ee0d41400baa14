// Asks a webhook of access (token reviews, access reviews), again where it was only away; remembers answers.
import type { Env } from '#env/env.ts';
import type { RemoteEndpoint } from './kubeconfig-endpoint.ts';
import { callWebhook, WebhookFailure } from './webhook-client.ts';
import { WebhookConnections } from './webhook-connections.ts';

const TIMEOUT_MS = 30_000;
const TRIES_MAX = 5;
const BACKOFF_MS = 500;
const GROWTH = 1.5;
const ENTRIES_MAX = 8_192;

/** It is named by a URL. */
const nothing = {
  get: (): Promise<undefined> => Promise.resolve(undefined),
  list: (): Promise<[]> => Promise.resolve([]),
};

/** A webhook of access has one address. */
const POOLS_MAX = 1;

interface Entry<T> {
  readonly value: T;
  readonly untilMs: number;
}

/** Answers by question, each for its own time; the oldest go first when there are too many. */
export class AnswerCache<T> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #clock: Env['clock'];

  constructor({ clock }: Pick<Env, 'clock'>) {
    this.#clock = clock;
  }

  get(key: string): T | undefined {
    const found = this.#entries.get(key);
    if (found === undefined) return undefined;
    if (found.untilMs > this.#clock.monotonicMs()) return found.value;
    this.#entries.delete(key);
    return undefined;
  }

  set(key: string, value: T, ttlMs: number): void {
    if (ttlMs <= 0) return;
    this.#entries.delete(key);
    this.#entries.set(key, { value, untilMs: this.#clock.monotonicMs() + ttlMs });
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > ENTRIES_MAX && oldest !== undefined) this.#entries.delete(oldest);
  }
}

/** Of one round trip: its seconds, and why it failed. */
type OnTry = (seconds: number, failure: WebhookFailure | undefined) => void;

export interface ReviewWebhookOptions {
  /** Whatever is wrong; else only what upstream takes for a moment's trouble. */
  readonly retriesAll?: boolean;
  readonly onTry?: OnTry;
  readonly timeoutMs?: number | undefined;
  /** Before the first further try; then half as long again each time. */
  readonly backoffMs?: number;
}

/** As upstream has it: who is not there, or too late, or says 503, is not asked again. */
function isPassing({ status, cause }: WebhookFailure): boolean {
  if (status !== undefined) return [429, 500, 504].includes(status);
  return (cause as NodeJS.ErrnoException | undefined)?.code === 'ECONNRESET';
}

/** Whether nothing came in time. */
export function isTimeout({ status, cause }: WebhookFailure): boolean {
  const { name = '' } = (cause ?? {}) as Partial<Error>;
  return status === 504 || name === 'TimeoutError' || name === 'AbortError';
}

export class ReviewWebhook {
  readonly #endpoint: RemoteEndpoint;
  readonly #callers = {
    // It is at a URL.
    lookup: nothing,
    random: () => 0,
    webhooks: new WebhookConnections(POOLS_MAX),
  };
  readonly #timeoutMs: number;
  readonly #backoffMs: number;
  readonly #retriesAll: boolean;
  readonly #onTry: OnTry | undefined;
  readonly #env: Pick<Env, 'timers' | 'clock'>;

  constructor(
    endpoint: RemoteEndpoint,
    env: Pick<Env, 'timers' | 'clock'>,
    options: ReviewWebhookOptions = {},
  ) {
    const { timeoutMs = TIMEOUT_MS, backoffMs = BACKOFF_MS, retriesAll = false } = options;
    this.#retriesAll = retriesAll;
    this.#onTry = options.onTry;
    this.#endpoint = endpoint;
    this.#timeoutMs = timeoutMs;
    this.#backoffMs = backoffMs;
    this.#env = env;
  }

  /** The parsed answer. Throws WebhookFailure. */
  async ask(body: unknown): Promise<Record<string, unknown>> {
    const { url, caBundle, pair, token, isInsecure = false } = this.#endpoint;
    const config = { url, ...(caBundle === undefined ? {} : { caBundle }) };
    const headers = token === undefined ? {} : { headers: { Authorization: `Bearer ${token}` } };
    const timeoutMs = this.#timeoutMs;
    for (let tries = 1, waitMs = this.#backoffMs; ; tries++, waitMs *= GROWTH) {
      const startMs = this.#env.clock.monotonicMs();
      const note = (failure?: WebhookFailure): void =>
        this.#onTry?.((this.#env.clock.monotonicMs() - startMs) / 1_000, failure);
      try {
        const call = { config, body, timeoutMs, pair, isInsecure, ...headers };
        const answer = await callWebhook(this.#callers, call);
        note();
        return (answer ?? {}) as Record<string, unknown>;
      } catch (error) {
        if (!(error instanceof WebhookFailure)) throw error;
        note(error);
        if (!(this.#retriesAll || isPassing(error)) || tries >= TRIES_MAX) throw error;
        await new Promise<void>((done) => this.#env.timers.after(waitMs, done));
      }
    }
  }
}
