// Subresources that are more than a view of their object: binding, eviction, scale, tokens, and the
// reviews that are answered without being stored.
import type { Env } from '#env/env.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { labelSelectorFromObject, matchesLabels } from '#kube/meta/selectors.ts';
import { ApiError, badRequest, conflict } from '#kube/meta/status.ts';
import type { Authorizer } from './authz/authorizer.ts';
import { rulesFor, type AccessRequest, type RoleSource } from './rbac.ts';
import type { Resources, WriteContext } from './resources.ts';
import { timestamp } from './strategies.ts';
import { TokenRefusal, type VerifiedToken } from './tokens.ts';
import { nodeNameOf, type UserInfo } from './user.ts';

type Json = Record<string, unknown>;

const success = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success' };

/** pods/binding: puts the pod on a node, once. */
export async function bind(
  resources: Resources,
  context: WriteContext,
  name: string,
  body: KubeObject,
  env: Env,
): Promise<Json> {
  const target = body['target']?.name;
  if (typeof target !== 'string' || target === '')
    throw badRequest('Binding target.name is required');
  await resources.modify(
    { ...context, subresource: 'binding' },
    name,
    (pod) => {
      if (pod['spec'].nodeName) {
        throw conflict(
          context.info,
          name,
          `pod ${name} is already assigned to node "${pod['spec'].nodeName}"`,
        );
      }
      if (pod.metadata.deletionTimestamp !== undefined) {
        throw conflict(
          context.info,
          name,
          `pod ${name} is being deleted, cannot be assigned to a host`,
        );
      }
      if (body.metadata?.uid !== undefined && body.metadata.uid !== pod.metadata.uid) {
        throw conflict(
          context.info,
          name,
          `Precondition failed: UID in precondition: ${body.metadata.uid}, UID in object meta: ${pod.metadata.uid}`,
        );
      }
      const lastTransitionTime = timestamp(env.clock.now());
      const conditions = ((pod['status']?.conditions ?? []) as Json[]).filter(
        (one) => one['type'] !== 'PodScheduled',
      );
      conditions.push({
        type: 'PodScheduled',
        status: 'True',
        lastProbeTime: null,
        lastTransitionTime,
      });
      pod['spec'].nodeName = target;
      pod['status'] = { ...pod['status'], conditions };
      pod.metadata.annotations = { ...pod.metadata.annotations, ...body.metadata?.annotations };
      if (Object.keys(pod.metadata.annotations).length === 0) delete pod.metadata.annotations;
      return pod;
    },
    { skipTracking: true, skipValidation: true },
  );
  return { ...success, code: 201 };
}

/** pods/eviction: deletes the pod unless a disruption budget forbids it now. */
export async function evict(
  resources: Resources,
  context: WriteContext,
  name: string,
  body: KubeObject,
): Promise<Json> {
  const { info, namespace } = context;
  const pod = await resources.get('', 'pods', namespace, name);
  const budgets = await resources.list('policy', 'poddisruptionbudgets', namespace);
  const matching = budgets.filter((budget) => {
    const selector = labelSelectorFromObject(budget['spec']?.selector);
    return (
      selector !== undefined && pod !== undefined && matchesLabels(selector, pod.metadata.labels)
    );
  });
  if (matching.length > 1) {
    throw new ApiError(
      500,
      'InternalError',
      'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
    );
  }
  const isOver = ['Succeeded', 'Failed', 'Pending'].includes(String(pod?.['status']?.phase));
  const budget = matching[0];
  if (budget !== undefined && !isOver && (budget['status']?.disruptionsAllowed ?? 0) <= 0) {
    const cause = {
      reason: 'DisruptionBudget',
      message: `The disruption budget ${budget.metadata.name} needs ${budget['status']?.desiredHealthy ?? 0} healthy pods and has ${budget['status']?.currentHealthy ?? 0} currently`,
    };
    throw new ApiError(
      429,
      'TooManyRequests',
      "Cannot evict pod as it would violate the pod's disruption budget.",
      { causes: [cause] },
    );
  }
  await resources.delete(
    { ...context, info, subresource: undefined },
    name,
    body['deleteOptions'] ?? {},
  );
  return { ...success, code: 201 };
}

// ---- reviews ----

interface SelectorAttributes {
  readonly rawSelector?: string;
  readonly requirements?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}

/** As a query would say it; operators that a field selector has not are left out (they only narrow). */
function selectorText(selector: unknown): string | undefined {
  const { rawSelector, requirements = [] } = (selector ?? {}) as SelectorAttributes;
  if (rawSelector !== undefined && rawSelector !== '') return rawSelector;
  const parts = requirements
    .filter(({ operator, values = [] }) => operator === 'In' && values.length === 1)
    .map(({ key, values = [] }) => `${key}=${values[0]}`);
  return parts.length === 0 ? undefined : parts.join(',');
}

function attributesOf(spec: Json, user: UserInfo): AccessRequest {
  const resource = spec['resourceAttributes'] as Record<string, never> | undefined;
  const other = spec['nonResourceAttributes'] as Record<string, string> | undefined;
  return {
    user,
    verb: resource?.['verb'] ?? other?.['verb'] ?? '',
    isResource: resource !== undefined,
    group: resource?.['group'] ?? '',
    resource: resource?.['resource'] ?? '',
    subresource: resource?.['subresource'] || undefined,
    namespace: resource?.['namespace'] || undefined,
    name: resource?.['name'] || undefined,
    path: other?.['path'] ?? '',
    version: resource?.['version'],
    fieldSelector: selectorText(resource?.['fieldSelector']),
    labelSelector: selectorText(resource?.['labelSelector']),
  };
}

async function accessStatus({ authorizer }: ReviewServices, access: AccessRequest): Promise<Json> {
  const { kind, reason, error } = await authorizer.authorize(access);
  return {
    allowed: kind === 'allow',
    ...(kind === 'deny' ? { denied: true } : {}),
    ...(reason === '' ? {} : { reason }),
    ...(error === undefined ? {} : { evaluationError: error }),
  };
}

export interface ReviewServices {
  readonly roles: RoleSource;
  readonly authorizer: Authorizer;
  /** Throws TokenRefusal. */
  readonly authenticate: (
    token: string,
    audiences?: readonly string[],
  ) => Promise<VerifiedToken | undefined>;
}

const userJson = ({ name, uid, groups, extra }: UserInfo): Json => ({
  username: name,
  ...(uid === '' ? {} : { uid }),
  groups,
  ...(Object.keys(extra).length === 0 ? {} : { extra }),
});

async function tokenStatus(services: ReviewServices, token: string, spec: Json): Promise<Json> {
  const wanted = spec['audiences'] as string[] | undefined;
  try {
    const found = await services.authenticate(token, wanted?.length ? wanted : undefined);
    if (found === undefined) return { user: {}, error: 'invalid bearer token' };
    const { user, audiences } = found;
    const list = audiences.length === 0 ? {} : { audiences };
    return { authenticated: true, user: userJson(user), ...list };
  } catch (error) {
    if (!(error instanceof TokenRefusal)) throw error;
    return { user: {}, error: `[invalid bearer token, ${error.message}]` };
  }
}

/** The answer to a review that a client creates; nothing is stored. */
export async function review(
  services: ReviewServices,
  resource: string,
  user: UserInfo,
  body: KubeObject,
): Promise<KubeObject> {
  const spec = (body['spec'] ?? {}) as Json;
  switch (resource) {
    case 'selfsubjectaccessreviews':
      return { ...body, status: await accessStatus(services, attributesOf(spec, user)) };
    case 'subjectaccessreviews':
    case 'localsubjectaccessreviews': {
      const subject: UserInfo = {
        name: String(spec['user'] ?? ''),
        uid: String(spec['uid'] ?? ''),
        groups: (spec['groups'] ?? []) as string[],
        extra: (spec['extra'] ?? {}) as Record<string, string[]>,
      };
      return { ...body, status: await accessStatus(services, attributesOf(spec, subject)) };
    }
    case 'selfsubjectrulesreviews': {
      const rules = [...rulesFor(services.roles, user, String(spec['namespace'] ?? ''))];
      const resourceRules = rules.filter((one) => one.nonResourceURLs === undefined);
      const nonResourceRules = rules.filter((one) => one.nonResourceURLs !== undefined);
      // What a node may do is no list of rules.
      const rest =
        nodeNameOf(user) === undefined
          ? { incomplete: false }
          : {
              incomplete: true,
              evaluationError: 'node authorizer does not support user rule resolution',
            };
      const { kind, apiVersion } = body;
      // Upstream answers with the rules alone.
      const status = { resourceRules, nonResourceRules, ...rest };
      return { kind, apiVersion, metadata: {}, spec: {}, status };
    }
    case 'selfsubjectreviews':
      return { ...body, status: { userInfo: userJson(user) } };
    case 'tokenreviews': {
      const token = String(spec['token'] ?? '');
      if (token === '') throw badRequest('token is required for TokenReview in authentication');
      return { ...body, status: await tokenStatus(services, token, spec) };
    }
    default:
      throw new ApiError(404, 'NotFound', 'the server could not find the requested resource');
  }
}
