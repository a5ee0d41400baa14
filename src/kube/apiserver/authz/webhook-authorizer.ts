// Asks somebody else whether a request may be, in a SubjectAccessReview; only for requests that its
// conditions want (Webhook of AuthorizationConfiguration, apiserver.config.k8s.io/v1).
import type { Env } from '#env/env.ts';
import type { RemoteEndpoint } from '#kube/apiserver/kubeconfig-endpoint.ts';
import type { AccessRequest } from '#kube/apiserver/rbac.ts';
import type {
  AuthorizationMetrics,
  WebhookResult,
} from '#kube/apiserver/metrics/authorization-metrics.ts';
import { AnswerCache, isTimeout, ReviewWebhook } from '#kube/apiserver/review-webhook.ts';
import { WebhookFailure } from '#kube/apiserver/webhook-client.ts';
import { baseEnvironment, compile, failureText, type Program } from '#kube/cel/program.ts';
import { DYN } from '#kube/cel/types.ts';
import { dynValue, jsonValue } from '#kube/cel/values.ts';
import {
  noOpinion,
  unlisted,
  type Authorizer,
  type Decision,
  type KnownRules,
} from './authorizer.ts';

type Json = Record<string, unknown>;

export interface WebhookAuthorizerOptions {
  readonly endpoint: RemoteEndpoint;
  readonly authorizedTtlMs: number;
  readonly unauthorizedTtlMs: number;
  readonly timeoutMs: number;
  readonly failurePolicy: 'NoOpinion' | 'Deny';
  /** Expressions over `request`, the spec of the review. */
  readonly matchConditions: readonly string[];
}

/** Throws CompileError. */
export function compileCondition(source: string): Program {
  const env = baseEnvironment().clone();
  env.variable('request', DYN);
  return compile(env, source);
}

interface Selector {
  readonly requirements: readonly Json[];
}

/** undefined for none, and for one that cannot be read: without it the review asks for more. */
function selectorOf(text: string | undefined): Selector | undefined {
  if (text === undefined || text === '') return undefined;
  const requirements: Json[] = [];
  for (const part of text.split(',')) {
    const found = /^\s*([\w./-]+)\s*(!=|==|=)\s*(.*?)\s*$/.exec(part);
    if (found === null) return undefined;
    const [, key, sign, value] = found;
    requirements.push({ key, operator: sign === '!=' ? 'NotIn' : 'In', values: [value] });
  }
  return { requirements };
}

function reviewSpec(access: AccessRequest): Json {
  const { user, verb, isResource, path } = access;
  const who = {
    user: user.name,
    groups: user.groups,
    ...(user.uid === '' ? {} : { uid: user.uid }),
    ...(Object.keys(user.extra).length === 0 ? {} : { extra: user.extra }),
  };
  if (!isResource) return { nonResourceAttributes: { path, verb }, ...who };
  const parts = {
    namespace: access.namespace,
    verb,
    group: access.group,
    version: access.version ?? '*',
    resource: access.resource,
    subresource: access.subresource,
    name: access.name,
    fieldSelector: selectorOf(access.fieldSelector),
    labelSelector: selectorOf(access.labelSelector),
  };
  const known = Object.entries(parts).filter(([, one]) => one !== undefined && one !== '');
  return { resourceAttributes: Object.fromEntries(known), ...who };
}

const texts = ['namespace', 'verb', 'group', 'version', 'resource', 'subresource', 'name'];

/** As expressions see it: what is not said is empty, not absent. */
function conditionRequest(spec: Json): unknown {
  const attributes = spec['resourceAttributes'] as Json | undefined;
  const full = { user: '', groups: [], uid: '', extra: {}, ...spec };
  if (attributes === undefined) return dynValue(full);
  const empty = Object.fromEntries(texts.map((name) => [name, '']));
  return dynValue({ ...full, resourceAttributes: { ...empty, ...attributes } });
}

function resultOf(failure: WebhookFailure | undefined): WebhookResult {
  if (failure === undefined) return 'success';
  return isTimeout(failure) ? 'timeout' : 'error';
}

export class WebhookAuthorizer implements Authorizer {
  readonly #name: string;
  readonly #options: WebhookAuthorizerOptions;
  readonly #metrics: AuthorizationMetrics;
  readonly #now: () => number;
  readonly #webhook: ReviewWebhook;
  readonly #answers: AnswerCache<Decision>;
  readonly #conditions: readonly Program[];

  constructor(
    name: string,
    options: WebhookAuthorizerOptions,
    metrics: AuthorizationMetrics,
    env: Env,
  ) {
    this.#name = name;
    this.#options = options;
    this.#metrics = metrics;
    this.#now = () => env.clock.monotonicMs();
    this.#webhook = new ReviewWebhook(options.endpoint, env, {
      timeoutMs: options.timeoutMs,
      onTry: (seconds, failure) => metrics.evaluated(name, resultOf(failure), seconds),
    });
    this.#answers = new AnswerCache(env);
    this.#conditions = options.matchConditions.map(compileCondition);
  }

  authorize(access: AccessRequest): Decision | Promise<Decision> {
    const spec = reviewSpec(access);
    const unwanted = this.#unwanted(spec);
    if (unwanted !== undefined) return unwanted;
    const key = JSON.stringify(spec);
    return this.#answers.get(key) ?? this.#ask(key, spec);
  }

  rules(): KnownRules {
    return unlisted('webhook');
  }

  /** The decision without a question, when a condition does not hold; undefined: it is asked. */
  #unwanted(spec: Json): Decision | undefined {
    if (this.#conditions.length === 0) return undefined;
    const startMs = this.#now();
    const note = (outcome: 'match' | 'excluded' | 'failed'): void =>
      this.#metrics.matched(this.#name, outcome, (this.#now() - startMs) / 1_000);
    const request = conditionRequest(spec);
    const failures: string[] = [];
    for (const program of this.#conditions) {
      const { value, error } = program.run({ request });
      if (error !== undefined) failures.push(failureText(error));
      else if (jsonValue(value) === false) {
        note('excluded');
        return noOpinion();
      }
    }
    note(failures.length === 0 ? 'match' : 'failed');
    return failures.length === 0 ? undefined : this.#failed(failures.join(', '));
  }

  #failed(error: string): Decision {
    const kind = this.#options.failurePolicy === 'Deny' ? 'deny' : 'none';
    return { kind, reason: '', error };
  }

  async #ask(key: string, spec: Json): Promise<Decision> {
    const body = {
      kind: 'SubjectAccessReview',
      apiVersion: 'authorization.k8s.io/v1',
      metadata: { creationTimestamp: null },
      spec,
      status: { allowed: false },
    };
    let status: Json;
    try {
      status = ((await this.#webhook.ask(body))['status'] ?? {}) as Json;
    } catch (error) {
      if (!(error instanceof WebhookFailure)) throw error;
      if (this.#options.failurePolicy === 'NoOpinion') {
        this.#metrics.failedOpen(this.#name, resultOf(error));
      }
      return this.#failed(error.message);
    }
    const { allowed, denied } = status;
    const reason = String(status['reason'] ?? '');
    if (allowed === true && denied === true) {
      return this.#failed('webhook subject access review returned both allow and deny response');
    }
    const kind = denied === true ? 'deny' : allowed === true ? 'allow' : 'none';
    const decision = { kind, reason } as const;
    const { authorizedTtlMs, unauthorizedTtlMs } = this.#options;
    this.#answers.set(key, decision, kind === 'allow' ? authorizedTtlMs : unauthorizedTtlMs);
    return decision;
  }
}
