// How long tokens of issuers took, and which keys of them were fetched when, under upstream's names
// (plugin/pkg/authenticator/token/oidc of k8s.io/apiserver v0.37).
import { createHash } from 'node:crypto';
import { Gauge, Histogram, keyOfLabels, type Metric } from './metric-set.ts';

const HEAD = 'apiserver_authentication_jwt_authenticator';
const FETCH = `${HEAD}_jwks_fetch_last`;
const SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export type Outcome = 'success' | 'failure';

const hashed = (data: string): string =>
  data === '' ? '' : `sha256:${createHash('sha256').update(data).digest('hex')}`;

interface Fetched {
  readonly atS: Map<Outcome, number>;
  keySet?: string;
}

export class IssuerMetrics implements Metric {
  readonly #id: string;
  readonly #nowMs: () => number;
  readonly #took = new Histogram(`${HEAD}_latency_seconds`, ['jwt_issuer_hash', 'result'], SECONDS);
  readonly #fetched = new Map<string, Fetched>();

  /** `id`: the name by which servers of a cluster know this one. */
  constructor(id: string, nowMs: () => number) {
    this.#id = hashed(id);
    this.#nowMs = nowMs;
  }

  /** For an issuer, what counts its tokens: there are many, so its hash is made once. */
  ofIssuer(issuer: string): IssuerCounts {
    const hash = hashed(issuer);
    const keys = {
      success: keyOfLabels([hash, 'success']),
      failure: keyOfLabels([hash, 'failure']),
    };
    return {
      verified: (outcome, seconds) => this.#took.observeAt(keys[outcome], seconds),
      fetched: (body) => {
        const one = this.#fetched.getOrInsertComputed(hash, () => ({ atS: new Map() }));
        one.atS.set(body === undefined ? 'failure' : 'success', this.#nowMs() / 1_000);
        if (body !== undefined) one.keySet = hashed(body);
      },
    };
  }

  /** Nobody asks it for keys any more. */
  forget(issuer: string): void {
    this.#fetched.delete(hashed(issuer));
  }

  reset(): void {
    this.#took.reset();
    this.#fetched.clear();
  }

  lines(): string[] {
    const names = ['apiserver_id_hash', 'jwt_issuer_hash', 'result'];
    const times = new Gauge(`${FETCH}_timestamp_seconds`, names, () =>
      [...this.#fetched].flatMap(([issuer, { atS }]) =>
        [...atS].map(([outcome, at]) => [[this.#id, issuer, outcome], at] as const),
      ),
    );
    const sets = new Gauge(
      `${FETCH}_key_set_info`,
      ['apiserver_id_hash', 'hash', 'jwt_issuer_hash'],
      () =>
        [...this.#fetched].flatMap(([issuer, { keySet }]) =>
          keySet === undefined ? [] : [[[this.#id, keySet, issuer], 1] as const],
        ),
    );
    return [...sets.lines(), ...times.lines(), ...this.#took.lines()];
  }
}

export interface IssuerCounts {
  /** A token that was looked at, and how long that took. */
  readonly verified: (outcome: Outcome, seconds: number) => void;
  /** Keys as the issuer told them; undefined: it told none. */
  readonly fetched: (body: string | undefined) => void;
}
