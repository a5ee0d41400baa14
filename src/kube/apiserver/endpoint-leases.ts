// Where clients in the cluster find API servers: the endpoints of the service `default/kubernetes`. Servers that
// share one etcd each keep a lease there, under upstream's keys, and each writes down the addresses of all that do
// (the lease reconciler of kubernetes v1.37); a server with a store of its own is the only one. What somebody has
// deleted is back within ten seconds.
import type { Env, Timer } from '#env/env.ts';
import { prefixEnd, type Store } from '#store/store.ts';
import { publishEndpoints, unlessRefused } from './bootstrap.ts';
import type { Handler } from './handler.ts';

const PREFIX = '/registry/masterleases/';
const LEASE_SECONDS = 15;
const RENEW_MS = 10_000;

interface Place {
  readonly host: string;
  readonly port: number;
}

/** As upstream's servers read it. */
function leaseText(host: string, generation: number): Uint8Array {
  const metadata = { generation };
  const subsets = [{ addresses: [{ ip: host }] }];
  return Buffer.from(JSON.stringify({ kind: 'Endpoints', apiVersion: 'v1', metadata, subsets }));
}

export class EndpointLeases {
  readonly #handler: Handler;
  readonly #store: Store;
  readonly #place: Place;
  readonly #env: Pick<Env, 'timers' | 'log'>;
  #generation = 0;
  #timer: Timer | undefined;
  #working: Promise<void> = Promise.resolve();
  #isClosed = false;

  private constructor(
    handler: Handler,
    store: Store,
    place: Place,
    env: Pick<Env, 'timers' | 'log'>,
  ) {
    this.#handler = handler;
    this.#store = store;
    this.#place = place;
    this.#env = env;
  }

  /** Resolves when clients find this server, or will later, where a webhook refuses it. */
  static async start(
    handler: Handler,
    store: Store,
    place: Place,
    env: Pick<Env, 'timers' | 'log'>,
  ): Promise<EndpointLeases> {
    const leases = new EndpointLeases(handler, store, place, env);
    await unlessRefused(
      () => leases.#renew(),
      (error) => env.log.warn('Cannot renew the lease of the API server', { error }),
    );
    leases.#renewLater();
    return leases;
  }

  /** Takes this server off the list, if others are to be found there. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    await this.#working;
    if (this.#store.isShared !== true) return;
    try {
      await this.#store.txn({ compare: [], then: [{ kind: 'delete', key: this.#key }] });
      await this.#publish();
    } catch (error) {
      this.#env.log.warn('Cannot take the API server off its endpoints', { error });
    }
  }

  get #key(): string {
    return `${PREFIX}${this.#place.host}`;
  }

  async #renew(): Promise<void> {
    const { host, port } = this.#place;
    if (this.#store.isShared !== true) return await publishEndpoints(this.#handler, [host], port);
    this.#generation += 1;
    const value = leaseText(host, this.#generation);
    const put = { kind: 'put', key: this.#key, value, ttlSeconds: LEASE_SECONDS } as const;
    await this.#store.txn({ compare: [], then: [put] });
    await this.#publish();
  }

  async #publish(): Promise<void> {
    const { items } = await this.#store.range({ start: PREFIX, end: prefixEnd(PREFIX) });
    const hosts = items.map(({ key }) => key.slice(PREFIX.length)).toSorted();
    // Its own lease was renewed just now: that there is none says that something is wrong.
    if (hosts.length === 0 && !this.#isClosed) return;
    await publishEndpoints(this.#handler, hosts, this.#place.port);
  }

  #renewLater(): void {
    this.#timer = this.#env.timers.after(RENEW_MS, () => {
      this.#working = this.#renew()
        .catch((error: unknown) => {
          this.#env.log.warn('Cannot renew the lease of the API server', { error });
        })
        .then(() => {
          if (!this.#isClosed) this.#renewLater();
        });
    });
  }
}
