// ImagePolicyWebhook: somebody else says whether the images of a pod may be used, in an ImageReview; off
// unless --enable-admission-plugins names it. Its answers are remembered for a while.
import { Fault } from '#base/fault.ts';
import type { Env } from '#env/env.ts';
import { readEndpoint } from '#kube/apiserver/kubeconfig-endpoint.ts';
import { AnswerCache, ReviewWebhook } from '#kube/apiserver/review-webhook.ts';
import { WebhookFailure } from '#kube/apiserver/webhook-client.ts';
import {
  forbiddenBy,
  isOf,
  type AdmissionPlugin,
  type AdmissionRequest,
  type Json,
} from './request.ts';

const PREFIX = 'imagepolicywebhook.image-policy.k8s.io/';
const FAILED_OPEN = 'alpha.image-policy.k8s.io/failed-open';
const SECOND_MS = 1_000;
const HALF_HOUR_MS = 1_800_000;

function bad(why: string): Fault {
  return new Fault(
    { code: 'bad-configuration' },
    `Cannot use the configuration of ImagePolicyWebhook: ${why}`,
  );
}

interface Bounds {
  readonly unitMs: number;
  readonly defaultMs: number;
  readonly minMs: number;
  readonly maxMs: number;
}

/** In ms; -1 in the file is none at all, 0 is what upstream takes then. */
function duration(value: unknown, { unitMs, defaultMs, minMs, maxMs }: Bounds): number {
  if (value === -1) return 0;
  if (value === undefined || value === 0) return defaultMs;
  const ms = Number(value) * unitMs;
  if (ms >= minMs && ms <= maxMs) return ms;
  throw bad(`valid value is between ${minMs}ms and ${maxMs}ms, got ${ms}ms`);
}

interface Settings {
  readonly path: string;
  readonly allowTtlMs: number;
  readonly denyTtlMs: number;
  readonly backoffMs: number;
  readonly isAllowedByDefault: boolean;
}

function settingsOf(config: unknown): Settings {
  const own = (config as Json | undefined)?.['imagePolicy'] as Json | undefined;
  if (own === undefined) throw bad('no config specified');
  const { kubeConfigFile, allowTTL, denyTTL, retryBackoff, defaultAllow } = own;
  if (typeof kubeConfigFile !== 'string') throw bad('imagePolicy.kubeConfigFile is missing');
  const ttl = { unitMs: SECOND_MS, minMs: SECOND_MS, maxMs: HALF_HOUR_MS };
  return {
    path: kubeConfigFile,
    allowTtlMs: duration(allowTTL, { ...ttl, defaultMs: 300_000 }),
    denyTtlMs: duration(denyTTL, { ...ttl, defaultMs: 30_000 }),
    backoffMs: duration(retryBackoff, { unitMs: 1, defaultMs: 500, minMs: 1, maxMs: 300_000 }),
    isAllowedByDefault: defaultAllow === true,
  };
}

function reviewOf({ object, subresource, namespace }: AdmissionRequest): Json {
  const spec = (object?.['spec'] ?? {}) as Json;
  const lists =
    subresource === undefined ? ['containers', 'initContainers'] : ['ephemeralContainers'];
  const containers = lists
    .flatMap((key) => (spec[key] ?? []) as Json[])
    .map(({ image }) => (image === undefined ? {} : { image }));
  const annotations = Object.entries(object?.metadata.annotations ?? {}).filter(([key]) =>
    key.includes('.image-policy.k8s.io/'),
  );
  return {
    ...(containers.length === 0 ? {} : { containers }),
    ...(annotations.length === 0 ? {} : { annotations: Object.fromEntries(annotations) }),
    namespace,
  };
}

interface ReviewStatus {
  readonly allowed?: boolean;
  readonly reason?: string;
  readonly auditAnnotations?: Readonly<Record<string, string>>;
}

/** Throws Fault for a configuration that cannot be used. */
export function imagePolicy(config: unknown, env: Pick<Env, 'timers' | 'clock'>): AdmissionPlugin {
  const settings = settingsOf(config);
  const webhook = new ReviewWebhook(readEndpoint(settings.path), env, {
    backoffMs: settings.backoffMs,
  });
  const answers = new AnswerCache<ReviewStatus>(env);

  /** undefined: nobody answered, and it is let in all the same. */
  async function ask(request: AdmissionRequest, spec: Json): Promise<ReviewStatus | undefined> {
    const body = {
      kind: 'ImageReview',
      apiVersion: 'imagepolicy.k8s.io/v1alpha1',
      metadata: {},
      spec,
      status: { allowed: false },
    };
    try {
      return ((await webhook.ask(body))['status'] ?? {}) as ReviewStatus;
    } catch (error) {
      if (!(error instanceof WebhookFailure)) throw error;
      if (!settings.isAllowedByDefault) throw forbiddenBy(request, error.message);
      request.annotations[`${PREFIX}failed-open`] = 'true';
      const { object } = request;
      if (object !== undefined) {
        const annotations = { ...object.metadata.annotations, [FAILED_OPEN]: 'true' };
        object.metadata = { ...object.metadata, annotations };
      }
      return undefined;
    }
  }

  return {
    name: 'ImagePolicyWebhook',
    async validate(request) {
      const { operation, subresource = '', object } = request;
      if (operation !== 'CREATE' && operation !== 'UPDATE') return;
      if (!isOf(request, '', 'pods') || object === undefined) return;
      if (subresource !== '' && subresource !== 'ephemeralcontainers') return;
      const spec = reviewOf(request);
      const key = JSON.stringify(spec);
      const known = answers.get(key);
      const status = known ?? (await ask(request, spec));
      if (status === undefined) return;
      const { allowed = false, reason = '', auditAnnotations = {} } = status;
      if (known === undefined) {
        answers.set(key, status, allowed ? settings.allowTtlMs : settings.denyTtlMs);
      }
      for (const [name, text] of Object.entries(auditAnnotations)) {
        request.annotations[PREFIX + name] = text;
      }
      if (allowed) return;
      const denied = `image policy webhook backend denied one or more images: ${reason}`;
      throw forbiddenBy(
        request,
        reason === '' ? 'one or more images rejected by webhook backend' : denied,
      );
    },
  };
}
