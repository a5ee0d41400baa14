// What authorizers decided, and how webhooks of access answered, under upstream's names.
import { Counter, Histogram, keyOfLabels } from './metric-set.ts';

const PREFIX = 'apiserver_authorization_';
const ROUND_TRIP_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const MATCH_SECONDS = [0.001, 0.005, 0.01, 0.025, 0.1, 0.2, 0.25];

export type WebhookResult = 'success' | 'timeout' | 'error';

export class AuthorizationMetrics {
  readonly #decisions = new Counter(`${PREFIX}decisions_total`, ['decision', 'name', 'type']);
  readonly #evaluations = new Counter(`${PREFIX}webhook_evaluations_total`, ['name', 'result']);
  readonly #failOpen = new Counter(`${PREFIX}webhook_evaluations_fail_open_total`, [
    'name',
    'result',
  ]);
  readonly #took = new Histogram(
    `${PREFIX}webhook_duration_seconds`,
    ['name', 'result'],
    ROUND_TRIP_SECONDS,
  );
  readonly #matchErrors = new Counter(`${PREFIX}match_condition_evaluation_errors_total`, [
    'name',
    'type',
  ]);
  readonly #exclusions = new Counter(`${PREFIX}match_condition_exclusions_total`, ['name', 'type']);
  readonly #matchTook = new Histogram(
    `${PREFIX}match_condition_evaluation_seconds`,
    ['name', 'type'],
    MATCH_SECONDS,
  );

  /** For an authorizer, what counts a decision of it: for every request, so its labels are joined once. */
  decider(type: string, name: string): (kind: 'allow' | 'deny') => void {
    const keys = {
      allow: keyOfLabels(['allowed', name, type]),
      deny: keyOfLabels(['denied', name, type]),
    };
    return (kind) => this.#decisions.addAt(keys[kind]);
  }

  evaluated(name: string, result: WebhookResult, seconds: number): void {
    this.#evaluations.add([name, result]);
    this.#took.observe([name, result], seconds);
  }

  failedOpen(name: string, result: WebhookResult): void {
    this.#failOpen.add([name, result]);
  }

  matched(name: string, outcome: 'match' | 'excluded' | 'failed', seconds: number): void {
    this.#matchTook.observe([name, 'Webhook'], seconds);
    if (outcome === 'excluded') this.#exclusions.add([name, 'Webhook']);
    if (outcome === 'failed') this.#matchErrors.add([name, 'Webhook']);
  }

  get #all(): readonly (Counter | Histogram)[] {
    return [
      this.#decisions,
      this.#matchErrors,
      this.#matchTook,
      this.#exclusions,
      this.#took,
      this.#failOpen,
      this.#evaluations,
    ];
  }

  lines(): string[] {
    return this.#all.flatMap((one) => one.lines());
  }

  reset(): void {
    for (const one of this.#all) one.reset();
  }
}
