// Events sent to a webhook in batches: lists of audit.k8s.io/v1, again when it is away; what waits has a bound.
import type { Env, Timer } from '#env/env.ts';
import type { RemoteEndpoint } from '#kube/apiserver/kubeconfig-endpoint.ts';
import { ReviewWebhook } from '#kube/apiserver/review-webhook.ts';
import type { AuditSink } from './record.ts';

export interface AuditWebhookOptions {
  readonly endpoint: RemoteEndpoint;
  readonly batchMax: number;
  readonly waitMs: number;
  readonly bufferMax: number;
}

export class AuditWebhook implements AuditSink {
  readonly #options: AuditWebhookOptions;
  readonly #webhook: ReviewWebhook;
  readonly #env: Env;
  #waiting: Record<string, unknown>[] = [];
  #timer: Timer | undefined;
  #sending: Promise<void> | undefined;
  #isEnding = false;
  #lost = 0;

  constructor(options: AuditWebhookOptions, env: Env) {
    this.#options = options;
    this.#env = env;
    this.#webhook = new ReviewWebhook(options.endpoint, env, { retriesAll: true });
  }

  write(event: Record<string, unknown>): void {
    const { bufferMax, batchMax, waitMs } = this.#options;
    if (this.#waiting.length >= bufferMax) {
      this.#lost += 1;
      if (this.#lost === 1) {
        this.#env.log.error('The audit webhook is too slow: events are lost', { bufferMax });
      }
      return;
    }
    this.#waiting.push(event);
    if (this.#waiting.length >= batchMax) void this.#flush();
    else this.#timer ??= this.#env.timers.after(waitMs, () => void this.#flush());
  }

  async #flush(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
    await this.#sending;
  }

  async #sendAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const items = this.#waiting.splice(0, this.#options.batchMax);
      const list = { kind: 'EventList', apiVersion: 'audit.k8s.io/v1', metadata: {}, items };
      try {
        await this.#webhook.ask(list);
        this.#lost = 0;
      } catch (error) {
        this.#env.log.error('The audit webhook did not take events', { lost: items.length, error });
        if (this.#isEnding) return;
      }
    }
  }

  async close(): Promise<void> {
    this.#isEnding = true;
    await this.#flush();
  }
}
