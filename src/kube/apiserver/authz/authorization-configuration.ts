// AuthorizationConfiguration of apiserver.config.k8s.io/v1: who is asked, in which order.
import { dirname, resolve } from 'node:path';
import { Fault } from '#base/fault.ts';
import { Problems, readConfiguration, type Json } from '#kube/apiserver/configuration-file.ts';
import { joinedFailures } from '#kube/meta/status.ts';
import { durationMs } from '#kube/meta/go-duration.ts';
import { readEndpoint } from '#kube/apiserver/kubeconfig-endpoint.ts';
import { readPolicies, type AttributePolicy } from './attribute-policies.ts';
import { compileCondition, type WebhookAuthorizerOptions } from './webhook-authorizer.ts';

export type AuthorizerSpec =
  | {
      readonly type: 'ABAC';
      readonly name: string;
      readonly policies: readonly AttributePolicy[];
    }
  | { readonly type: 'Node' | 'RBAC' | 'AlwaysAllow' | 'AlwaysDeny'; readonly name: string }
  | { readonly type: 'Webhook'; readonly name: string; readonly webhook: WebhookAuthorizerOptions };

const types = ['ABAC', 'AlwaysAllow', 'AlwaysDeny', 'Node', 'RBAC', 'Webhook'];

const AUTHORIZED_TTL = '5m';
const UNAUTHORIZED_TTL = '30s';

/** An answer that is not to be remembered has no time. */
function ttlMs(webhook: Json, field: 'Authorized' | 'Unauthorized', preset: string): number {
  if (webhook[`cache${field}Requests`] === false) return 0;
  const text = String(webhook[`${field.toLowerCase()}TTL`] ?? preset);
  return durationMs(text) ?? Number.NaN;
}

function webhookOf(
  webhook: Json,
  field: string,
  problems: Problems,
): Omit<WebhookAuthorizerOptions, 'endpoint'> & { readonly kubeConfigFile: string } {
  problems.onlyKnown(field, webhook, [
    'authorizedTTL',
    'cacheAuthorizedRequests',
    'unauthorizedTTL',
    'cacheUnauthorizedRequests',
    'timeout',
    'subjectAccessReviewVersion',
    'matchConditionSubjectAccessReviewVersion',
    'failurePolicy',
    'connectionInfo',
    'matchConditions',
  ]);
  const timeoutMs = durationMs(String(webhook['timeout'] ?? '')) ?? 0;
  if (timeoutMs <= 0 || timeoutMs > 30_000) {
    problems.invalid(`${field}.timeout`, webhook['timeout'], 'must be > 0s and <= 30s');
  }
  const version = webhook['subjectAccessReviewVersion'];
  if (version !== 'v1') {
    problems.add(
      `${field}.subjectAccessReviewVersion`,
      `Unsupported value: ${JSON.stringify(version)}: supported values: "v1"`,
    );
  }
  const policy = webhook['failurePolicy'];
  if (policy !== 'NoOpinion' && policy !== 'Deny') {
    problems.add(
      `${field}.failurePolicy`,
      `Unsupported value: ${JSON.stringify(policy)}: supported values: "Deny", "NoOpinion"`,
    );
  }
  const connection = (webhook['connectionInfo'] ?? {}) as Json;
  if (connection['type'] !== 'KubeConfigFile') {
    problems.invalid(
      `${field}.connectionInfo.type`,
      connection['type'],
      'must be KubeConfigFile: this server runs in no pod',
    );
  }
  const file = String(connection['kubeConfigFile'] ?? '');
  problems.required(`${field}.connectionInfo.kubeConfigFile`, file);
  const conditions = ((webhook['matchConditions'] ?? []) as Json[]).map((one) =>
    String(one['expression'] ?? ''),
  );
  conditions.forEach((source, i) => {
    const at = `${field}.matchConditions[${i}].expression`;
    try {
      if (problems.required(at, source)) compileCondition(source);
    } catch (error) {
      problems.invalid(at, source, `compilation failed: ${(error as Error).message}`);
    }
  });
  const authorizedTtlMs = ttlMs(webhook, 'Authorized', AUTHORIZED_TTL);
  const unauthorizedTtlMs = ttlMs(webhook, 'Unauthorized', UNAUTHORIZED_TTL);
  for (const [name, ms] of Object.entries({
    authorizedTTL: authorizedTtlMs,
    unauthorizedTTL: unauthorizedTtlMs,
  })) {
    if (Number.isNaN(ms) || ms < 0) {
      problems.invalid(`${field}.${name}`, webhook[name], 'must be a duration > 0s');
    }
  }
  return {
    authorizedTtlMs,
    unauthorizedTtlMs,
    timeoutMs,
    failurePolicy: policy === 'Deny' ? 'Deny' : 'NoOpinion',
    matchConditions: conditions,
    kubeConfigFile: file,
  };
}

/** All but webhooks are called what they are, and those of `required` are there. Throws Fault. */
function checkNames(
  path: string,
  all: readonly { type: string; name: string }[],
  required: ReadonlySet<string>,
): void {
  const wrong = all
    .filter(({ type, name }) => type !== 'Webhook' && name !== type.toLowerCase())
    .map(
      ({ type, name }) =>
        `expected name ${type.toLowerCase()} for authorizer ${type} instead of ${name}`,
    );
  const missing = [...required.difference(new Set(all.map(({ type }) => type)))].toSorted();
  if (missing.length > 0) wrong.push(`missing required types: [${missing.join(' ')}]`);
  if (wrong.length === 0) return;
  throw new Fault(
    { code: 'bad-configuration', path },
    `Cannot use ${path}: ${joinedFailures(wrong)}`,
  );
}

export interface CheckedAuthorizer {
  readonly type: string;
  readonly name: string;
  readonly webhook?: ReturnType<typeof webhookOf>;
}

/** What a file says, before any other file is read. Types of `required` must be in it. Throws Fault. */
export function checkedAuthorization(
  path: string,
  required: ReadonlySet<string> = new Set(),
): CheckedAuthorizer[] {
  const object = readConfiguration(path, 'apiserver.config.k8s.io', {
    kind: 'AuthorizationConfiguration',
    versions: ['v1', 'v1beta1', 'v1alpha1'],
  });
  const problems = new Problems(path);
  problems.onlyKnown('', object, ['apiVersion', 'kind', 'authorizers']);
  const all = (object['authorizers'] ?? []) as Json[];
  if (all.length === 0) {
    problems.required('authorizers', '', 'at least one authorization mode must be defined');
  }
  const seen = new Set<string>();
  const seenTypes = new Set<string>();
  const found = all.map((one, i): CheckedAuthorizer => {
    const field = `authorizers[${i}]`;
    const [type, name] = [String(one['type'] ?? ''), String(one['name'] ?? '')];
    problems.onlyKnown(field, one, ['type', 'name', 'webhook']);
    if (!types.includes(type)) {
      const shown = types.map((known) => JSON.stringify(known)).join(', ');
      problems.add(
        `${field}.type`,
        `Unsupported value: ${JSON.stringify(type)}: supported values: ${shown}`,
      );
    }
    if (type !== 'Webhook' && seenTypes.has(type)) {
      problems.add(`${field}.type`, `Duplicate value: ${JSON.stringify(type)}`);
    }
    seenTypes.add(type);
    problems.required(`${field}.name`, name);
    if (seen.has(name)) problems.add(`${field}.name`, `Duplicate value: ${JSON.stringify(name)}`);
    seen.add(name);
    if (type !== 'Webhook') return { type, name };
    if (!problems.required(`${field}.webhook`, one['webhook'])) return { type, name };
    return { type, name, webhook: webhookOf(one['webhook'] as Json, `${field}.webhook`, problems) };
  });
  problems.check();
  checkNames(path, found, required);
  return found;
}

/** `policies`: for authorizers of type ABAC. Throws Fault. */
export function authorizerSpecs(
  path: string,
  all: readonly CheckedAuthorizer[],
  policies: () => readonly AttributePolicy[],
): AuthorizerSpec[] {
  return all.map((one): AuthorizerSpec => {
    if (one.webhook === undefined) {
      const { type, name } = one;
      if (type === 'ABAC') return { type, name, policies: policies() };
      return { type: type as 'Node', name };
    }
    const { kubeConfigFile, ...webhook } = one.webhook;
    const endpoint = readEndpoint(resolve(dirname(path), kubeConfigFile));
    return { type: 'Webhook', name: one.name, webhook: { ...webhook, endpoint } };
  });
}

/** `policyFile` is what --authorization-policy-file says, for authorizers of type ABAC. Throws Fault. */
export function readAuthorization(path: string, policyFile = ''): AuthorizerSpec[] {
  return authorizerSpecs(path, checkedAuthorization(path), () => readPolicies(policyFile));
}
