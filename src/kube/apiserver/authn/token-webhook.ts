// Tokens that somebody else knows: each is sent in a TokenReview (--authentication-token-webhook-config-file).
import { createHash } from 'node:crypto';
import type { Env } from '#env/env.ts';
import type { RemoteEndpoint } from '#kube/apiserver/kubeconfig-endpoint.ts';
import { AnswerCache, ReviewWebhook } from '#kube/apiserver/review-webhook.ts';
import { TokenRefusal } from '#kube/apiserver/token-refusal.ts';
import { authenticated } from '#kube/apiserver/user.ts';
import { WebhookFailure } from '#kube/apiserver/webhook-client.ts';
import type { TokenOwner, TokenSource } from './token-source.ts';

interface Status {
  readonly authenticated?: boolean;
  readonly error?: string;
  readonly audiences?: readonly string[];
  readonly user?: {
    readonly username?: string;
    readonly uid?: string;
    readonly groups?: readonly string[];
    readonly extra?: Readonly<Record<string, readonly string[]>>;
  };
}

interface Answer {
  readonly owner?: TokenOwner | undefined;
  readonly error?: string | undefined;
}

export class TokenWebhook implements TokenSource {
  readonly #webhook: ReviewWebhook;
  readonly #answers: AnswerCache<Answer>;
  readonly #ttlMs: number;

  constructor(endpoint: RemoteEndpoint, ttlMs: number, env: Env) {
    this.#webhook = new ReviewWebhook(endpoint, env);
    this.#answers = new AnswerCache(env);
    this.#ttlMs = ttlMs;
  }

  async authenticate(
    token: string,
    audiences: readonly string[] | undefined,
  ): Promise<TokenOwner | undefined> {
    // No token is kept in memory.
    const key = createHash('sha256')
      .update(JSON.stringify([token, audiences ?? []]))
      .digest('base64');
    const { owner, error } = this.#answers.get(key) ?? (await this.#ask(key, token, audiences));
    if (error !== undefined) throw new TokenRefusal(error);
    return owner;
  }

  async #ask(
    key: string,
    token: string,
    audiences: readonly string[] | undefined,
  ): Promise<Answer> {
    const spec = { token, ...(audiences === undefined ? {} : { audiences }) };
    const body = {
      kind: 'TokenReview',
      apiVersion: 'authentication.k8s.io/v1',
      metadata: { creationTimestamp: null },
      spec,
      status: { user: {} },
    };
    try {
      const review = await this.#webhook.ask(body);
      const answer = answerOf((review['status'] ?? {}) as Status, audiences);
      this.#answers.set(key, answer, this.#ttlMs);
      return answer;
    } catch (error) {
      if (!(error instanceof WebhookFailure)) throw error;
      return { error: error.message };
    }
  }
}

function answerOf(status: Status, audiences: readonly string[] | undefined): Answer {
  if (status.authenticated !== true) {
    return { error: status.error === '' ? undefined : status.error };
  }
  const { username = '', uid = '', groups = [], extra = {} } = status.user ?? {};
  const user = { ...authenticated(username, groups, uid), extra };
  const meant = status.audiences;
  if (audiences === undefined || meant === undefined) return { owner: { user } };
  const common = audiences.filter((one) => meant.includes(one));
  return common.length === 0 ? {} : { owner: { user, audiences: common } };
}
