// Admission webhooks: who is asked, the reviews that are sent (AdmissionReview v1 and v1beta1), and what their answers
// do to the request.
import { CONDITIONS_COST_MAX } from '#kube/cel/cost.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { same } from '#base/same.ts';
import { ApiError, badRequest } from '#kube/meta/status.ts';
import { PATCH_ANNOTATION } from '#kube/apiserver/audit/record.ts';
import type { ObjectCache } from '#kube/apiserver/object-cache.ts';
import { callWebhook, WebhookFailure, type ClientConfig } from '#kube/apiserver/webhook-client.ts';
import {
  inVersion,
  isExemptOfWebhooks,
  matchedResource,
  type Constraints,
  type Rule,
} from './matching.ts';
import {
  compileConditions,
  conditionsHold,
  namespaceOf,
  type MatchCondition,
} from './policy-parts.ts';
import type { AdmissionPlugin, AdmissionRequest, AdmissionServices, Json } from './request.ts';
import type { Reinvocation } from './reinvocation.ts';
import { reviewedRequest } from './review.ts';
import { internalFault, patchedByWebhook, patchOperations } from './webhook-patch.ts';

interface Webhook {
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

interface Response {
  readonly uid?: string;
  readonly allowed?: boolean;
  readonly status?: { code?: number; message?: string; reason?: string; details?: Json };
  readonly patch?: string;
  readonly patchType?: string;
  readonly auditAnnotations?: Readonly<Record<string, string>>;
  readonly warnings?: readonly string[];
}

const TIMEOUT_SECONDS_DEFAULT = 10;

const conditionCache = new WeakMap<Webhook, ReturnType<typeof compileConditions>>();

function conditionsOf(webhook: Webhook): ReturnType<typeof compileConditions> {
  let known = conditionCache.get(webhook);
  if (known === undefined) {
    known = compileConditions(webhook.matchConditions ?? [], false);
    conditionCache.set(webhook, known);
  }
  return known;
}

/** The resource in the version that the webhook knows; undefined when it is not asked. */
async function isAsked(
  webhook: Webhook,
  request: AdmissionRequest,
  services: AdmissionServices,
): Promise<ResourceInfo | undefined> {
  const { rules = [], namespaceSelector, objectSelector, matchPolicy } = webhook;
  const constraints = { rules, namespaceSelector, objectSelector, matchPolicy };
  const matched = await matchedResource(constraints, request, services);
  if (matched === undefined || (webhook.matchConditions ?? []).length === 0) return matched;
  const { expressions, all } = conditionsOf(webhook);
  const namespace = await namespaceOf(request, services);
  const input = { request, matched, namespace, params: undefined, services };
  const bound = expressions.bind(input, CONDITIONS_COST_MAX);
  const { holds, error } = conditionsHold(all, bound);
  if (error !== undefined) {
    if (webhook.failurePolicy === 'Ignore') return undefined;
    throw new ApiError(
      500,
      'InternalError',
      `Internal error occurred: failed evaluating match conditions of webhook ${JSON.stringify(webhook.name)}: ${error}`,
    );
  }
  return holds ? matched : undefined;
}

function internal(webhook: Webhook, why: string): ApiError {
  const message = `failed calling webhook ${JSON.stringify(webhook.name)}: ${why}`;
  return new ApiError(500, 'InternalError', `Internal error occurred: ${message}`, {
    causes: [{ message }],
  });
}

async function call(
  webhook: Webhook,
  matched: ResourceInfo,
  request: AdmissionRequest,
  services: AdmissionServices,
  onIgnored: () => void = () => {},
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
  const seconds = webhook.timeoutSeconds ?? TIMEOUT_SECONDS_DEFAULT;
  const body = {
    kind: 'AdmissionReview',
    apiVersion: `admission.k8s.io/${version}`,
    request: {
      uid,
      ...reviewedRequest(request, matched),
      object: inVersion(request.object, matched) ?? null,
      oldObject: inVersion(request.old, matched) ?? null,
    },
  };
  try {
    const answer = await callWebhook(services.lookup, {
      config: webhook.clientConfig,
      body,
      timeoutMs: seconds * 1_000,
      query: `timeout=${seconds}s`,
    });
    return version === 'v1' ? responseOf(answer, uid) : olderResponseOf(answer);
  } catch (error) {
    ignored(webhook, error);
    onIgnored();
    return undefined;
  }
}

/** Throws what it is for the request that a webhook fails, where the webhook does not say that it is nothing. */
function ignored(webhook: Webhook, error: unknown): void {
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

const CODE_MIN = 400;

function denied(webhook: Webhook, status: Response['status']): ApiError {
  const by = `admission webhook ${JSON.stringify(webhook.name)} denied the request`;
  const { code = 0, message = '', reason = '', details } = status ?? {};
  const why = message || reason;
  const text = why === '' ? `${by} without explanation` : `${by}: ${why}`;
  return new ApiError(Math.max(code, CODE_MIN), reason, text, details);
}

function take(webhook: Webhook, response: Response, request: AdmissionRequest): void {
  for (const [key, value] of Object.entries(response.auditAnnotations ?? {})) {
    request.annotations[`${webhook.name}/${key}`] = value;
  }
  request.warnings.push(...(response.warnings ?? []));
  if (response.allowed !== true) throw denied(webhook, response.status);
}

const namedWebhooks = new WeakMap<Webhook, Webhook>();

/** The same one each time, so that what is known of it is kept. */
function named(webhook: Webhook, configuration: string): Webhook {
  let found = namedWebhooks.get(webhook);
  if (found === undefined) {
    found = { ...webhook, configuration };
    namedWebhooks.set(webhook, found);
  }
  return found;
}

/** What the audit log is told of webhooks, under the names of kube-apiserver v1.37. */
const VALIDATION = 'validating.webhook.admission.k8s.io/';
const MUTATION = 'mutation.webhook.admission.k8s.io/';

function webhooksIn(cache: ObjectCache, resource: string): Webhook[] {
  return cache.all(resource).flatMap((one) => {
    const webhooks = (one['webhooks'] ?? []) as Webhook[];
    return webhooks.map((webhook) => named(webhook, one.metadata.name ?? ''));
  });
}

/** Asked all at once; one refusal is enough. */
export class ValidatingWebhooks implements AdmissionPlugin {
  readonly name = 'ValidatingAdmissionWebhook';
  readonly #cache: ObjectCache;

  constructor(cache: ObjectCache) {
    this.#cache = cache;
  }

  async validate(request: AdmissionRequest, services: AdmissionServices): Promise<void> {
    const all = webhooksIn(this.#cache, 'validatingwebhookconfigurations');
    if (all.length === 0 || isExemptOfWebhooks(request)) return;
    const results = await Promise.allSettled(
      all.map(async (webhook, index) => {
        const matched = await isAsked(webhook, request, services);
        if (matched === undefined) return;
        const response = await call(webhook, matched, request, services, () => {
          request.annotations[`failed-open.${VALIDATION}round_0_index_${index}`] = webhook.name;
        });
        if (response !== undefined) take(webhook, response, request);
      }),
    );
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }
}

/** Asked one after another, in the order of their names; each sees what those before it made. */
export class MutatingWebhooks {
  readonly #cache: ObjectCache;

  constructor(cache: ObjectCache) {
    this.#cache = cache;
  }

  /** In the second round only those that are to see later changes. */
  async mutate(
    request: AdmissionRequest,
    services: AdmissionServices,
    round: Reinvocation,
  ): Promise<void> {
    const all = webhooksIn(this.#cache, 'mutatingwebhookconfigurations');
    if (all.length === 0 || isExemptOfWebhooks(request)) return;
    round.begin(request.object);
    for (const [index, webhook] of all.entries()) {
      const { configuration = '', name } = webhook;
      const key = `${configuration}/${name}`;
      if (!round.isDue(key)) continue;
      const matched = await isAsked(webhook, request, services);
      if (matched === undefined) continue;
      const isChanged = await this.#one(webhook, { index, matched }, request, services, round);
      if (isChanged) round.changed();
      if (webhook.reinvocationPolicy === 'IfNeeded') round.asked(key);
    }
    round.end(request.object);
  }

  /** Whether it has changed the object. */
  async #one(
    webhook: Webhook,
    { index, matched }: { readonly index: number; readonly matched: ResourceInfo },
    request: AdmissionRequest,
    services: AdmissionServices,
    { isAgain }: Reinvocation,
  ): Promise<boolean> {
    const place = `round_${isAgain ? 1 : 0}_index_${index}`;
    const { configuration = '', name } = webhook;
    const note = (mutated: boolean): void => {
      const text = JSON.stringify({ configuration, webhook: name, mutated });
      request.annotations[`${MUTATION}${place}`] = text;
    };
    note(false);
    const onIgnored = (): void => {
      request.annotations[`failed-open.${MUTATION}${place}`] = name;
    };
    const response = await call(webhook, matched, request, services, onIgnored);
    if (response === undefined) return false;
    take(webhook, response, request);
    let patch: unknown;
    try {
      patch = patchOf(webhook, response, request, services.now());
    } catch (error) {
      ignored(webhook, error);
      onIgnored();
    }
    if (patch === undefined) return false;
    note(true);
    const patchType = 'JSONPatch';
    const text = JSON.stringify({ configuration, webhook: name, patch, patchType });
    request.annotations[`${PATCH_ANNOTATION}${place}`] = text;
    return true;
  }
}

/** The patch, when it has changed something. Throws WebhookFailure for what is none. */
function patchOf(
  webhook: Webhook,
  { patch = '', patchType }: Response,
  request: AdmissionRequest,
  now: number,
): unknown {
  const { object } = request;
  if (patch === '') return undefined;
  const operations = patchOperations(
    Buffer.from(patch, 'base64').toString(),
    request.info.customResourceDefinition === undefined,
  );
  if (operations.length === 0) return undefined;
  if (object === undefined) {
    const name = JSON.stringify(webhook.name);
    const why = 'attempted to modify the object, which is not supported for this operation';
    throw internalFault(`admission webhook ${name} ${why}`);
  }
  if (patchType !== 'JSONPatch')
    throw new WebhookFailure(`unsupported patch type ${JSON.stringify(patchType)}`);
  const next = patchedByWebhook(object, operations, request, now);
  if (same(next, object)) return undefined;
  request.object = next;
  return operations;
}
