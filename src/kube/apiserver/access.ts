// What a request asks to be allowed, for the authorizer; and the refusal as kube-apiserver words it.
import { ApiError } from '#kube/meta/status.ts';
import type { AccessRequest } from './rbac.ts';
import type { RequestInfo } from './request-info.ts';
import type { UserInfo } from './user.ts';

export function accessOf(info: RequestInfo, user: UserInfo): AccessRequest {
  const { verb, isResource, group, version, resource, subresource, namespace, name, path } = info;
  const isSelecting = ['list', 'watch', 'deletecollection'].includes(verb);
  const selectors = isSelecting
    ? {
        fieldSelector: info.query.get('fieldSelector') ?? undefined,
        labelSelector: info.query.get('labelSelector') ?? undefined,
      }
    : {};
  return {
    ...selectors,
    version,
    user,
    verb,
    isResource,
    group,
    resource,
    subresource,
    namespace,
    name: name ?? selectedName(info),
    path,
  };
}

/** A list or watch of the one object that its field selector names is about that object. */
function selectedName({ verb, query }: RequestInfo): string | undefined {
  if (!['list', 'watch', 'deletecollection'].includes(verb)) return undefined;
  return /^metadata\.name==?([^,=!]+)$/.exec(query.get('fieldSelector') ?? '')?.[1];
}

/** `reason`: what the authorizers said, if they said anything. */
export function forbidden(access: AccessRequest, reason = ''): ApiError {
  const why = reason === '' ? '' : `: ${reason}`;
  const {
    user,
    verb,
    isResource,
    group,
    resource,
    subresource,
    namespace,
    name = '',
    path,
  } = access;
  const who = JSON.stringify(user.name);
  if (!isResource) {
    const message = `forbidden: User ${who} cannot ${verb} path ${JSON.stringify(path)}${why}`;
    return new ApiError(403, 'Forbidden', message, {});
  }
  const full = subresource === undefined ? resource : `${resource}/${subresource}`;
  const qualified = group === '' ? resource : `${resource}.${group}`;
  const place =
    namespace === undefined || namespace === ''
      ? 'at the cluster scope'
      : `in the namespace ${JSON.stringify(namespace)}`;
  const named = name === '' ? '' : ` ${JSON.stringify(name)}`;
  const message = `${qualified}${named} is forbidden: User ${who} cannot ${verb} resource ${JSON.stringify(full)} in API group ${JSON.stringify(group)} ${place}${why}`;
  return new ApiError(403, 'Forbidden', message, {
    ...(name === '' ? {} : { name }),
    ...(group === '' ? {} : { group }),
    kind: resource,
  });
}
