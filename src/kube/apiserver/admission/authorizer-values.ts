// `authorizer` in expressions: what the requesting user, or a service account, may do.
import type { AccessRequest } from '#kube/apiserver/rbac.ts';
import { serviceAccountUser, type UserInfo } from '#kube/apiserver/user.ts';
import type { Environment } from '#kube/cel/environment.ts';
import {
  AUTHORIZER_TYPE,
  AuthorizerValue,
  RESOURCE_TYPE,
  resourceCheck,
  type AuthorizerSource,
} from '#kube/cel/library-authorizer.ts';
import type { AdmissionRequest } from './request.ts';

type IsAllowed = (access: AccessRequest) => boolean;

function sourceOf(user: UserInfo, isAllowed: IsAllowed): AuthorizerSource {
  return {
    isAllowed: (verb, { path = '', group = '', resource = '', ...parts }) =>
      isAllowed({
        user,
        verb,
        isResource: resource !== '',
        group,
        resource,
        subresource: parts.subresource || undefined,
        namespace: parts.namespace || undefined,
        name: parts.name || undefined,
        path,
      }),
    serviceAccount: (namespace, name) =>
      sourceOf(serviceAccountUser(namespace, name, ''), isAllowed),
  };
}

/** The two variables by which a request's authorizer is reached. */
export function authorizerValues(
  request: AdmissionRequest,
  isAllowed: IsAllowed,
): Readonly<Record<string, unknown>> {
  const source = sourceOf(request.user, isAllowed);
  const { info, subresource, namespace, name } = request;
  const { group, resource } = info;
  const parts = { group, resource, subresource, namespace, name };
  return {
    authorizer: new AuthorizerValue(source),
    'authorizer.requestResource': resourceCheck(source, parts),
  };
}

export function declareAuthorizer(env: Environment): void {
  env.variable('authorizer', AUTHORIZER_TYPE);
  env.variable('authorizer.requestResource', RESOURCE_TYPE);
}
