// A framework that gives one offer back and waits for the next one, again and again: how fast offers
// flow just now.
import { createEnv } from '#env/node/env.ts';
import { SchedulerClient } from '#mesos/client/scheduler-client.ts';
import type { Offer, SchedulerEvent } from '#wire/mesos/v1.ts';

const env = createEnv({ component: 'bench', logLevel: 'error', logFormat: 'text' });
const LONG_SECONDS = 3_600;
const WAIT_MS = 120_000;

export class OfferProbe implements Disposable {
  readonly #client: SchedulerClient;
  #held: Offer | undefined;
  #onOffer: ((offer: Offer) => void) | undefined;
  #problem: unknown;

  constructor(port: number, role = 'probe') {
    this.#client = new SchedulerClient(
      {
        masterUrl: `http://127.0.0.1:${port}`,
        framework: {
          user: 'root',
          name: role,
          roles: [role],
          capabilities: [{ type: 'MULTI_ROLE' }],
        },
        contentType: 'application/x-protobuf',
      },
      {
        onEvent: (event) => this.#onEvent(event),
        onDisconnected: () => (this.#problem = new Error('the probe was disconnected')),
        onError: (error) => (this.#problem = error),
      },
      env,
    );
    this.#client.start();
  }

  /** Milliseconds from giving an offer back to the next one, for so long. */
  async measure(windowMs: number): Promise<number[]> {
    const found: number[] = [];
    this.#held ??= await this.#next();
    for (const end = performance.now() + windowMs; performance.now() < end;) {
      const { id } = this.#held;
      const next = this.#next();
      const from = performance.now();
      void this.#decline([id.value], 0);
      this.#held = await next;
      found.push(performance.now() - from);
    }
    return found;
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }

  #next(): Promise<Offer> {
    return new Promise((done, fail) => {
      const patience = setTimeout(() => {
        fail(new Error(`No offer in ${WAIT_MS} ms`, { cause: this.#problem }));
      }, WAIT_MS);
      this.#onOffer = (offer) => {
        clearTimeout(patience);
        this.#onOffer = undefined;
        done(offer);
      };
    });
  }

  #onEvent({ type, offers }: SchedulerEvent): void {
    if (type !== 'OFFERS') return;
    const [first, ...others] = offers?.offers ?? [];
    if (first === undefined) return;
    if (this.#onOffer === undefined) others.push(first);
    else this.#onOffer(first);
    const rest = others.map(({ id }) => id.value);
    if (rest.length > 0) void this.#decline(rest, LONG_SECONDS);
  }

  async #decline(ids: readonly string[], refuse_seconds: number): Promise<void> {
    const offer_ids = ids.map((value) => ({ value }));
    try {
      await this.#client.call({
        type: 'DECLINE',
        decline: { offer_ids, filters: { refuse_seconds } },
      });
    } catch (error) {
      this.#problem = error;
    }
  }
}
