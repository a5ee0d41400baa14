// /healthz, /livez and /readyz: whether the server lives and can serve, check by check (healthz of
// k8s.io/apiserver v0.37). What a check found out stays in the log: the paths are public.
import type { Env } from '#env/env.ts';
import type { Store } from '#store/store.ts';
import { Counter, Gauge } from './metrics/metric-set.ts';

/** A check that takes longer has failed. */
const CHECK_MS_MAX = 2_000;

/** What the start of the server has behind it. */
export type Stage =
  | 'caches'
  | 'admission'
  | 'definitions'
  | 'aggregation'
  | 'flows'
  | 'objects'
  | 'addresses'
  | 'authentication'
  | 'identity';

/** What upstream calls the ends of its start, in its order; here several are one stage. */
const hooks: readonly (readonly [name: string, stage: Stage])[] = [
  ['start-apiserver-admission-initializer', 'admission'],
  ['generic-apiserver-start-informers', 'caches'],
  ['priority-and-fairness-config-consumer', 'flows'],
  ['priority-and-fairness-filter', 'flows'],
  ['storage-object-count-tracker-hook', 'flows'],
  ['start-apiextensions-informers', 'definitions'],
  ['start-apiextensions-controllers', 'definitions'],
  ['crd-informer-synced', 'definitions'],
  ['start-system-namespaces-controller', 'objects'],
  ['start-cluster-authentication-info-controller', 'authentication'],
  ['start-kube-apiserver-identity-lease-controller', 'identity'],
  ['start-kube-apiserver-identity-lease-garbage-collector', 'identity'],
  ['storage-readiness', 'caches'],
  ['start-legacy-token-tracking-controller', 'objects'],
  ['start-service-ip-repair-controllers', 'addresses'],
  ['rbac/bootstrap-roles', 'objects'],
  ['scheduling/bootstrap-system-priority-classes', 'objects'],
  ['priority-and-fairness-config-producer', 'flows'],
  ['bootstrap-controller', 'objects'],
  ['start-kubernetes-service-cidr-controller', 'addresses'],
  ['aggregator-reload-proxy-client-cert', 'aggregation'],
  ['start-kube-aggregator-informers', 'aggregation'],
  ['apiservice-status-local-available-controller', 'aggregation'],
  ['apiservice-status-remote-available-controller', 'aggregation'],
  ['apiservice-registration-controller', 'aggregation'],
  ['apiservice-discovery-controller', 'aggregation'],
  ['kube-apiserver-autoregistration', 'aggregation'],
  ['autoregister-completion', 'aggregation'],
  ['apiservice-openapi-controller', 'aggregation'],
  ['apiservice-openapiv3-controller', 'aggregation'],
];

interface Check {
  readonly name: string;
  readonly check: () => void | Promise<unknown>;
}

/** What a server may lack for a while and live. */
const onlyWhenReady = new Set(['etcd-readiness', 'informer-sync', 'shutdown']);
/** What it may lack for a while and serve. */
const onlyWhenLive = new Set(['loopback-serving-certificate']);
/** All plugins that keep keys of the store; upstream keeps it out of /livez alone. */
const KEY_PLUGINS = 'kms-providers';

export interface HealthAnswer {
  readonly status: number;
  readonly text: string;
}

export interface HealthOptions {
  readonly store: Store;
  /** Roles, admission and definitions are loaded. */
  readonly isSynced: () => boolean;
  /** Whether clients may still believe the serving certificate; absent: there is none. */
  readonly isCertificateValid?: (() => boolean) | undefined;
  /** Throws what plugins that keep keys of the store lack; absent: the store is not encrypted. */
  readonly checkKeyPlugins?: (() => Promise<void>) | undefined;
}

function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

export class Health {
  readonly #env: Pick<Env, 'timers' | 'log'>;
  readonly #checks: readonly Check[];
  readonly #reached = new Set<Stage>();
  #isEnding = false;
  readonly #totals = new Counter('kubernetes_healthchecks_total', ['name', 'status', 'type']);
  readonly #last = new Map<string, number>();
  readonly #results = new Gauge('kubernetes_healthcheck', ['name', 'type'], () =>
    [...this.#last].map(([key, value]) => [key.split(' '), value] as const),
  );

  constructor(
    { store, isSynced, isCertificateValid, checkKeyPlugins }: HealthOptions,
    env: Pick<Env, 'timers' | 'log'>,
  ) {
    this.#env = env;
    this.#checks = [
      { name: 'ping', check: () => {} },
      // Lines of the log are written before anything else is done: whoever answers has written them.
      { name: 'log', check: () => {} },
      {
        name: 'loopback-serving-certificate',
        check: () => must(isCertificateValid?.() ?? true, 'the certificate is not valid any more'),
      },
      // Whatever the store is: the model is etcd's, and so is the name.
      { name: 'etcd', check: () => this.#inTime(store.current()) },
      { name: 'etcd-readiness', check: () => this.#inTime(store.current()) },
      ...(checkKeyPlugins === undefined ? [] : [{ name: KEY_PLUGINS, check: checkKeyPlugins }]),
      { name: 'informer-sync', check: () => must(isSynced(), 'not everything is loaded') },
      ...hooks.map(([name, stage]) => ({
        name: name === 'autoregister-completion' ? name : `poststarthook/${name}`,
        check: () => must(this.#reached.has(stage), 'not finished'),
      })),
      { name: 'shutdown', check: () => must(!this.#isEnding, 'the process is ending') },
    ];
  }

  reached(stage: Stage): void {
    this.#reached.add(stage);
  }

  /** From now on it is not ready: whoever balances load looks for another server. */
  end(): void {
    this.#isEnding = true;
  }

  /** Undefined: there is no such path. `path`: `/readyz`, or of one check `/readyz/etcd`. */
  async answer(path: string, query: URLSearchParams): Promise<HealthAnswer | undefined> {
    const [, endpoint = '', ...rest] = path.split('/');
    const checks = this.#checksOf(endpoint);
    if (checks === undefined) return undefined;
    if (rest.length > 0) return await this.#single(checks, rest.join('/'), endpoint);
    const excluded = new Set(query.getAll('exclude').filter((name) => name !== ''));
    const lines: string[] = [];
    const failed: string[] = [];
    for (const check of checks) {
      if (excluded.delete(check.name)) {
        lines.push(`[+]${check.name} excluded: ok`);
        continue;
      }
      const error = await this.#judged(check, endpoint);
      if (error !== undefined) failed.push(check.name);
      lines.push(
        error === undefined ? `[+]${check.name} ok` : `[-]${check.name} failed: reason withheld`,
      );
    }
    if (excluded.size > 0) {
      const names = [...excluded].toSorted().map((name) => `"${name}"`);
      const why = `no matches for ${names.join(',')}`;
      lines.push(`warn: some health checks cannot be excluded: ${why}`);
    }
    if (failed.length > 0) {
      this.#env.log.warn('The server is not well', { endpoint, failed });
      return { status: 500, text: `${lines.join('\n')}\n${endpoint} check failed\n` };
    }
    const text = query.has('verbose') ? `${lines.join('\n')}\n${endpoint} check passed\n` : 'ok';
    return { status: 200, text };
  }

  namesOf(endpoint: string): string[] {
    return (this.#checksOf(endpoint) ?? []).map(({ name }) => name);
  }

  #checksOf(endpoint: string): readonly Check[] | undefined {
    if (endpoint === 'readyz') return this.#checks.filter(({ name }) => !onlyWhenLive.has(name));
    const others = this.#checks.filter(({ name }) => !onlyWhenReady.has(name));
    if (endpoint === 'healthz') return others;
    return endpoint === 'livez' ? others.filter(({ name }) => name !== KEY_PLUGINS) : undefined;
  }

  async #single(
    checks: readonly Check[],
    name: string,
    endpoint: string,
  ): Promise<HealthAnswer | undefined> {
    const check = checks.find((one) => one.name === name);
    if (check === undefined) return undefined;
    const error = await this.#judged(check, endpoint);
    return error === undefined
      ? { status: 200, text: 'ok' }
      : { status: 500, text: `internal server error: ${error}\n` };
  }

  async #judged(check: Check, type: string): Promise<string | undefined> {
    const error = await this.#failure(check);
    const isWell = error === undefined;
    this.#totals.add([check.name, isWell ? 'success' : 'error', type]);
    this.#last.set(`${check.name} ${type}`, isWell ? 1 : 0);
    return error;
  }

  /** What the checks found, those of the server itself included: /metrics/slis. */
  lines(): string[] {
    return [...this.#results.lines(), ...this.#totals.lines()];
  }

  resetMetrics(): void {
    this.#totals.reset();
  }

  async #failure({ check }: Check): Promise<string | undefined> {
    try {
      await check();
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  async #inTime(work: Promise<unknown>): Promise<void> {
    const late = Promise.withResolvers<never>();
    const timer = this.#env.timers.after(CHECK_MS_MAX, () => {
      late.reject(new Error(`no answer within ${CHECK_MS_MAX} ms`));
    });
    try {
      await Promise.race([work, late.promise]);
    } finally {
      timer.cancel();
    }
  }
}
