// The reviews that are answered without being stored.
import type { KubeObject } from '#kube/meta/object.ts';
import { parseFieldTerms, parseLabelSelector } from '#kube/meta/selectors.ts';
import { ApiError, badRequest, joinedFailures } from '#kube/meta/status.ts';
import type { AuthorizerChain } from './authz/authorizer.ts';
import { checkReview } from './review-validation.ts';
import type { AccessRequest, Rule } from './rbac.ts';
import { TokenRefusal } from './token-refusal.ts';
import type { VerifiedToken } from './tokens.ts';
import type { UserInfo } from './user.ts';

type Json = Record<string, unknown>;

// ---- reviews ----

interface SelectorRequirement {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[];
}

interface SelectorAttributes {
  readonly rawSelector?: string;
  readonly requirements?: readonly SelectorRequirement[];
}

const labelOperators = ['In', 'NotIn', 'Exists', 'DoesNotExist'];

/** What cannot be understood is passed over, which only widens what is asked, and told. */
function parseError(field: 'fieldSelector' | 'labelSelector', selector: unknown): string[] {
  const { rawSelector = '', requirements = [] } = (selector ?? {}) as SelectorAttributes;
  const isField = field === 'fieldSelector';
  const isRight = ({ operator, values = [] }: SelectorRequirement): boolean =>
    isField
      ? ['In', 'NotIn'].includes(operator) && values.length === 1
      : labelOperators.includes(operator);
  const wrong = requirements.filter((one) => !isRight(one));
  const isUnread = rawSelector !== '' && !isReadable(isField, rawSelector);
  if (wrong.length === 0 && !isUnread) return [];
  const part = wrong.length > 0 && wrong.length < requirements.length ? 'partially ' : '';
  return [`spec.resourceAttributes.${field} ${part}ignored due to parse error`];
}

function isReadable(isField: boolean, text: string): boolean {
  try {
    if (isField) parseFieldTerms(text);
    else parseLabelSelector(text);
    return true;
  } catch (error) {
    if (error instanceof ApiError) return false;
    throw error;
  }
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

async function accessStatus(
  { authorizer }: ReviewServices,
  spec: Json,
  user: UserInfo,
): Promise<Json> {
  const { kind, reason, error } = await authorizer.authorize(attributesOf(spec, user));
  const { fieldSelector, labelSelector } = (spec['resourceAttributes'] ?? {}) as Json;
  const errors = [
    ...(error === undefined ? [] : [error]),
    ...parseError('fieldSelector', fieldSelector),
    ...parseError('labelSelector', labelSelector),
  ];
  return {
    allowed: kind === 'allow',
    ...(kind === 'deny' ? { denied: true } : {}),
    ...(reason === '' ? {} : { reason }),
    ...(errors.length === 0 ? {} : { evaluationError: errors.join('; ') }),
  };
}

export interface ReviewServices {
  readonly authorizer: AuthorizerChain;
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

const isNamed = (list: readonly string[] = []): boolean => list.length > 0;

function resourceRule({ verbs, apiGroups, resources, resourceNames }: Rule): Json {
  const named = isNamed(resourceNames) ? { resourceNames } : {};
  return { verbs, apiGroups, resources, ...named };
}

/** What everybody who is asked can list. */
function rulesStatus(authorizer: AuthorizerChain, user: UserInfo, namespace: string): Json {
  const { rules, isIncomplete, errors } = authorizer.rules(user, namespace);
  return {
    resourceRules: rules.filter(({ resources }) => isNamed(resources)).map(resourceRule),
    nonResourceRules: rules
      .filter(({ nonResourceURLs }) => isNamed(nonResourceURLs))
      .map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs })),
    incomplete: isIncomplete,
    ...(errors.length === 0 ? {} : { evaluationError: joinedFailures(errors) }),
  };
}

/** The answer to a review that a client creates; nothing is stored. */
export async function review(
  services: ReviewServices,
  resource: string,
  user: UserInfo,
  body: KubeObject,
  now: string,
): Promise<KubeObject> {
  const spec = (body['spec'] ?? {}) as Json;
  checkReview(resource, body);
  switch (resource) {
    case 'selfsubjectaccessreviews':
      return { ...body, status: await accessStatus(services, spec, user) };
    case 'subjectaccessreviews':
    case 'localsubjectaccessreviews': {
      const subject: UserInfo = {
        name: String(spec['user'] ?? ''),
        uid: String(spec['uid'] ?? ''),
        groups: (spec['groups'] ?? []) as string[],
        extra: (spec['extra'] ?? {}) as Record<string, string[]>,
      };
      return { ...body, status: await accessStatus(services, spec, subject) };
    }
    case 'selfsubjectrulesreviews': {
      const { kind, apiVersion } = body;
      const status = rulesStatus(services.authorizer, user, String(spec['namespace'] ?? ''));
      // Upstream answers with the rules alone.
      return { kind, apiVersion, metadata: {}, spec: {}, status };
    }
    case 'selfsubjectreviews':
      return {
        kind: body.kind,
        apiVersion: body.apiVersion,
        metadata: { creationTimestamp: now },
        status: { userInfo: userJson(user) },
      };
    case 'tokenreviews': {
      const token = String(spec['token'] ?? '');
      if (token === '') throw badRequest('token is required for TokenReview in authentication');
      return { ...body, status: await tokenStatus(services, token, spec) };
    }
    default:
      throw new ApiError(404, 'NotFound', 'the server could not find the requested resource');
  }
}
