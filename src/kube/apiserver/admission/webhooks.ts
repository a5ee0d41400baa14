// Admission webhooks: who is asked, in which order, and what their answers do to the request.
import { CONDITIONS_COST_MAX } from '#kube/cel/cost.ts';
import { same } from '#base/same.ts';
import { ApiError } from '#kube/meta/status.ts';
import { PATCH_ANNOTATION } from '#kube/apiserver/audit/record.ts';
import { WebhookFailure } from '#kube/apiserver/webhook-client.ts';
import {
  convertedTo,
  isExemptOfWebhooks,
  matchedResource,
  versioned,
  type Versioned,
} from './matching.ts';
import type { ConfiguredObjects } from './configured-objects.ts';
import { compileConditions, conditionsHold, namespaceOf } from './policy-parts.ts';
import {
  forbiddenBy,
  type AdmissionPlugin,
  type AdmissionRequest,
  type AdmissionServices,
} from './request.ts';
import type { Reinvocation } from './reinvocation.ts';
import { askWebhook, ignored, type Response, type Webhook } from './webhook-call.ts';
import type { CredentialsFor } from './webhook-credentials.ts';
import { internalFault, patchedByWebhook, patchOperations } from './webhook-patch.ts';

const conditionCache = new WeakMap<Webhook, ReturnType<typeof compileConditions>>();

function conditionsOf(webhook: Webhook): ReturnType<typeof compileConditions> {
  let known = conditionCache.get(webhook);
  if (known === undefined) {
    known = compileConditions(webhook.matchConditions ?? [], false);
    conditionCache.set(webhook, known);
  }
  return known;
}

/** The request in the version that the webhook knows; undefined when it is not asked. */
async function isAsked(
  webhook: Webhook,
  request: AdmissionRequest,
  services: AdmissionServices,
): Promise<Versioned | undefined> {
  const { rules = [], namespaceSelector, objectSelector, matchPolicy } = webhook;
  const constraints = { rules, namespaceSelector, objectSelector, matchPolicy };
  const matched = await matchedResource(constraints, request, services);
  if (matched === undefined) return undefined;
  const seen = await versioned(request, matched);
  if ((webhook.matchConditions ?? []).length === 0) return seen;
  const { expressions, all } = conditionsOf(webhook);
  const namespace = await namespaceOf(request, services);
  const input = { request, versioned: seen, namespace, params: undefined, services };
  const bound = expressions.bind(input, CONDITIONS_COST_MAX);
  const { holds, error } = conditionsHold(all, bound);
  if (error !== undefined) {
    if (webhook.failurePolicy === 'Ignore') return undefined;
    throw forbiddenBy(request, error);
  }
  return holds ? seen : undefined;
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

function webhooksIn(
  objects: ConfiguredObjects,
  resource: string,
  request: AdmissionRequest,
): Webhook[] {
  return objects.all(resource, isExemptOfWebhooks(request)).flatMap((one) => {
    const webhooks = (one['webhooks'] ?? []) as Webhook[];
    return webhooks.map((webhook) => named(webhook, one.metadata.name ?? ''));
  });
}

/** Asked all at once; one refusal is enough. */
export class ValidatingWebhooks implements AdmissionPlugin {
  readonly name = 'ValidatingAdmissionWebhook';
  readonly #objects: ConfiguredObjects;
  readonly #credentials: CredentialsFor;

  constructor(objects: ConfiguredObjects, credentials: CredentialsFor) {
    this.#objects = objects;
    this.#credentials = credentials;
  }

  async validate(request: AdmissionRequest, services: AdmissionServices): Promise<void> {
    const all = webhooksIn(this.#objects, 'validatingwebhookconfigurations', request);
    if (all.length === 0) return;
    const results = await Promise.allSettled(
      all.map(async (webhook, index) => {
        const seen = await isAsked(webhook, request, services);
        if (seen === undefined) return;
        const onIgnored = (): void => {
          request.annotations[`failed-open.${VALIDATION}round_0_index_${index}`] = webhook.name;
        };
        const credentials = this.#credentials;
        const asking = { request, seen, services, credentials, onIgnored };
        const response = await askWebhook(webhook, asking);
        if (response !== undefined) take(webhook, response, request);
      }),
    );
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }
}

/** Asked one after another, in the order of their names; each sees what those before it made. */
export class MutatingWebhooks {
  readonly #objects: ConfiguredObjects;
  readonly #credentials: CredentialsFor;

  constructor(objects: ConfiguredObjects, credentials: CredentialsFor) {
    this.#objects = objects;
    this.#credentials = credentials;
  }

  /** In the second round only those that are to see later changes. */
  async mutate(
    request: AdmissionRequest,
    services: AdmissionServices,
    round: Reinvocation,
  ): Promise<void> {
    const all = webhooksIn(this.#objects, 'mutatingwebhookconfigurations', request);
    if (all.length === 0) return;
    round.begin(request.object);
    for (const [index, webhook] of all.entries()) {
      const { configuration = '', name } = webhook;
      const key = `${configuration}/${name}`;
      if (!round.isDue(key)) continue;
      const seen = await isAsked(webhook, request, services);
      if (seen === undefined) continue;
      const isChanged = await this.#one(webhook, { index, seen }, request, services, round);
      if (isChanged) round.changed();
      if (webhook.reinvocationPolicy === 'IfNeeded') round.asked(key);
    }
    round.end(request.object);
  }

  /** Whether it has changed the object. */
  async #one(
    webhook: Webhook,
    { index, seen }: { readonly index: number; readonly seen: Versioned },
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
    const credentials = this.#credentials;
    const asking = { request, seen, services, credentials, onIgnored };
    const response = await askWebhook(webhook, asking);
    if (response === undefined) return false;
    take(webhook, response, request);
    let patch: unknown;
    try {
      patch = await applyPatchOf(webhook, response, { request, seen, now: services.now() });
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

interface Patched {
  readonly request: AdmissionRequest;
  readonly seen: Versioned;
  readonly now: number;
}

/** Changes the object; the patch, when it has changed something. Throws WebhookFailure for what is none. */
async function applyPatchOf(
  webhook: Webhook,
  { patch = '', patchType }: Response,
  { request, seen, now }: Patched,
): Promise<unknown> {
  const { object, matched } = seen;
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
  const next = patchedByWebhook(
    object,
    operations,
    { ...request, info: matched, old: seen.old },
    now,
  );
  if (same(next, object)) return undefined;
  const { info } = request;
  request.object = matched === info ? next : await convertedTo(info, next, matched);
  return operations;
}
