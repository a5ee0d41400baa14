// How often a configuration was read again, when, and which one holds, under upstream's names.
import { createHash } from 'node:crypto';
import { Counter, Gauge, type Metric } from './metric-set.ts';

const hashed = (data: string): string =>
  `sha256:${createHash('sha256').update(data).digest('hex')}`;

export class ReloadCounts implements Metric {
  readonly #head: string;
  readonly #id: string;
  readonly #nowMs: () => number;
  readonly #reloads: Counter;
  readonly #times = new Map<string, number>();
  #config: string | undefined;

  /** `id`: the name by which servers of a cluster know this one. */
  constructor(what: 'authentication' | 'authorization', id: string, nowMs: () => number) {
    this.#head = `apiserver_${what}_config_controller`;
    this.#id = hashed(id);
    this.#nowMs = nowMs;
    const labels = ['apiserver_id_hash', 'status'];
    this.#reloads = new Counter(`${this.#head}_automatic_reloads_total`, labels);
  }

  /** What holds, as it was read. */
  holds(data: string): void {
    this.#config = hashed(data);
  }

  /** What was read again; undefined: it could not be used, and what held before holds. */
  reloaded(data: string | undefined): void {
    const status = data === undefined ? 'failure' : 'success';
    this.#reloads.add([this.#id, status]);
    this.#times.set(status, this.#nowMs() / 1_000);
    if (data !== undefined) this.holds(data);
  }

  reset(): void {
    this.#reloads.reset();
    this.#times.clear();
  }

  lines(): string[] {
    const last = `${this.#head}_automatic_reload_last_timestamp_seconds`;
    const times = new Gauge(last, ['apiserver_id_hash', 'status'], () =>
      [...this.#times].map(([status, at]) => [[this.#id, status], at] as const),
    );
    const config = new Gauge(`${this.#head}_last_config_info`, ['apiserver_id_hash', 'hash'], () =>
      this.#config === undefined ? [] : [[[this.#id, this.#config], 1] as const],
    );
    return [...times.lines(), ...this.#reloads.lines(), ...config.lines()];
  }
}
