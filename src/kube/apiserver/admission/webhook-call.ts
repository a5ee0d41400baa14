// One call of an admission webhook: the review that is sent (AdmissionReview v1 and v1beta1), how long its answer is
// waited for, and what is wrong with it.
import { ApiError, badRequest } from '#kube/meta/status.ts';
import {
  callWebhook,
  WebhookFailure,
  type ClientConfig,
  type WebhookCall,
} from '#kube/apiserver/webhook-client.ts';
import type { Constraints, Rule, Versioned } from './matching.ts';
import type { MatchCondition } from './policy-parts.ts';
import type { AdmissionRequest, AdmissionServices, Json } from './request.ts';
import { reviewedRequest } from './review.ts';
import type { CredentialsFor } from './webhook-credentials.ts';

export interface Webhook {
  readonly name: string;
  /** Of the object that the webhook stands in. */
  readonly configuration?: string;
  readonly clientConfig: ClientConfig;
  readonly rules?: readonly Rule[];
  readonly failurePolicy?: string;
  readonly matchPolicy?: string;
  readonly namespaceSelector?: Constraints['namespaceSelector'];
  readonly objectSelector?: Constraints['objectSelector'];
  readonly sideEffects?: string;
  readonly timeoutSeconds?: number;
  readonly admissionReviewVersions?: readonly string[];
  readonly reinvocationPolicy?: string;
  readonly matchConditions?: readonly MatchCondition[];
}

export interface Response {
  readonly uid?: string;
  readonly allowed?: boolean;
  readonly status?: { code?: number; message?: string; reason?: string; details?: Json };
  readonly patch?: string;
  readonly patchType?: string;
  readonly auditAnnotations?: Readonly<Record<string, string>>;
  readonly warnings?: readonly string[];
}

const TIMEOUT_SECONDS_DEFAULT = 10;

function internal(webhook: Webhook, why: string): ApiError {
  const message = `failed calling webhook ${JSON.stringify(webhook.name)}: ${why}`;
  return new ApiError(500, 'InternalError', `Internal error occurred: ${message}`, {
    causes: [{ message }],
  });
}

export interface Asking {
  readonly request: AdmissionRequest;
  readonly seen: Versioned;
  readonly services: AdmissionServices;
  readonly credentials: CredentialsFor;
  /** It failed, and says that this is nothing. */
  readonly onIgnored: () => void;
}

/** What it answers; undefined where it failed and is ignored. Throws ApiError. */
export async function askWebhook(
  webhook: Webhook,
  { request, seen, services, credentials, onIgnored }: Asking,
): Promise<Response | undefined> {
  if (
    request.isDryRun &&
    webhook.sideEffects !== 'None' &&
    webhook.sideEffects !== 'NoneOnDryRun'
  ) {
    throw badRequest(`admission webhook ${JSON.stringify(webhook.name)} does not support dry run`);
  }
  const uid = services.uuid();
  const version = reviewVersion(webhook);
  const ownMs = (webhook.timeoutSeconds ?? TIMEOUT_SECONDS_DEFAULT) * 1_000;
  const { deadline } = request;
  deadline?.check();
  const timeoutMs = Math.min(ownMs, deadline?.leftMs() ?? Infinity);
  const body = {
    kind: 'AdmissionReview',
    apiVersion: `admission.k8s.io/${version}`,
    request: {
      uid,
      ...reviewedRequest(request, seen.matched),
      object: seen.object ?? null,
      oldObject: seen.old ?? null,
    },
  };
  try {
    const query = `timeout=${Math.ceil(timeoutMs / 1_000)}s`;
    const { clientConfig: config } = webhook;
    const as = services.ownServer?.callOf(config) ?? credentials(config, services.now());
    const answer = await answerTo(services, { config, body, timeoutMs, query, ...as });
    return version === 'v1' ? responseOf(answer, uid) : olderResponseOf(answer);
  } catch (error) {
    // When it is over, nobody waits for what others would say, either.
    if (error instanceof WebhookFailure) deadline?.check();
    ignored(webhook, error);
    onIgnored();
    return undefined;
  }
}

async function answerTo(services: AdmissionServices, call: WebhookCall): Promise<unknown> {
  try {
    return await callWebhook(services, call);
  } catch (error) {
    if (!(error instanceof WebhookFailure)) throw error;
    const message = `failed to call webhook: ${error.message}`;
    throw new WebhookFailure(message, { cause: error });
  }
}

/** Throws what it is for the request that a webhook fails, where the webhook does not say that it is nothing. */
export function ignored(webhook: Webhook, error: unknown): void {
  if (!(error instanceof WebhookFailure)) throw error;
  if (webhook.failurePolicy !== 'Ignore') throw internal(webhook, error.message);
}

type ReviewVersion = 'v1' | 'v1beta1';

/** The first that both sides know. */
function reviewVersion({ admissionReviewVersions: all = [] }: Webhook): ReviewVersion {
  return all.find((one) => one === 'v1' || one === 'v1beta1') === 'v1beta1' ? 'v1beta1' : 'v1';
}

/** Of v1beta1: nobody looks at its kind and uid, and there is one type of patches. */
function olderResponseOf(answer: unknown): Response {
  const { response } = (answer ?? {}) as Json;
  if (typeof response !== 'object' || response === null) {
    throw new WebhookFailure('received invalid webhook response: webhook response was absent');
  }
  const found = response as Response;
  return found.patch ? { ...found, patchType: 'JSONPatch' } : found;
}

/** Throws WebhookFailure for what is no answer to the review. */
function responseOf(answer: unknown, uid: string): Response {
  const { kind, apiVersion, response } = (answer ?? {}) as Json;
  const is = `${String(apiVersion ?? '')}, Kind=${String(kind ?? '')}`;
  const wanted = 'admission.k8s.io/v1, Kind=AdmissionReview';
  if (is !== wanted)
    throw new WebhookFailure(
      `received invalid webhook response: expected webhook response of ${wanted}, got ${is}`,
    );
  if (typeof response !== 'object' || response === null) {
    throw new WebhookFailure('received invalid webhook response: webhook response was absent');
  }
  const found = response as Response;
  if (found.uid !== uid) {
    throw new WebhookFailure(
      `received invalid webhook response: expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(found.uid ?? '')}`,
    );
  }
  if (found.patch !== undefined && found.patch !== '' && found.patchType === undefined) {
    throw new WebhookFailure(
      'received invalid webhook response: webhook returned response.patch but not response.patchType',
    );
  }
  return found;
}
