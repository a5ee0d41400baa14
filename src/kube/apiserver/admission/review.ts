// A request as webhooks and expressions are told of it (admission.k8s.io/v1 AdmissionRequest).
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import type { AdmissionRequest, Json } from './request.ts';

function kindOf(info: ResourceInfo, subresource: string | undefined): Json {
  const sub = info.subresources.find(({ name }) => name === subresource);
  const { group, version, kind } = sub ?? info;
  return { group, version, kind };
}

function resourceOf({ group, version, resource }: ResourceInfo): Json {
  return { group, version, resource };
}

/** Without the objects; `matched` is the resource in the version that the rule named. */
export function reviewedRequest(request: AdmissionRequest, matched: ResourceInfo): Json {
  const { info, subresource, name, namespace, operation, user, isDryRun, options } = request;
  const sub = subresource === undefined ? {} : { subResource: subresource };
  const requestSub = subresource === undefined ? {} : { requestSubResource: subresource };
  const isNamespace = info.group === '' && info.resource === 'namespaces';
  const place = isNamespace ? name : namespace;
  return {
    kind: kindOf(matched, subresource),
    resource: resourceOf(matched),
    ...sub,
    requestKind: kindOf(info, subresource),
    requestResource: resourceOf(info),
    ...requestSub,
    ...(name === '' ? {} : { name }),
    ...(place === undefined || place === '' ? {} : { namespace: place }),
    operation,
    userInfo: {
      username: user.name,
      ...(user.uid === '' ? {} : { uid: user.uid }),
      groups: user.groups,
      ...(Object.keys(user.extra).length === 0 ? {} : { extra: user.extra }),
    },
    dryRun: isDryRun,
    options: options ?? null,
  };
}
