// A request as admission sees it, what admission may ask of the cluster, and its refusals in upstream's
// words.
import type { OwnServer } from './own-server.ts';
import type { PodSecurityCounts } from '#kube/apiserver/metrics/admission-counts.ts';
import type { ObjectLookup } from '#kube/apiserver/object-lookup.ts';
import type { KubeObject, ObjectMeta } from '#kube/meta/object.ts';
import type { ResourceInfo, ResourceRegistry } from '#kube/meta/resource-info.ts';
import { ApiError } from '#kube/meta/status.ts';
import type { Decision } from '#kube/apiserver/authz/authorizer.ts';
import type { AccessRequest } from '#kube/apiserver/rbac.ts';
import type { Deadline } from '#kube/apiserver/request-deadline.ts';
import type { UserInfo } from '#kube/apiserver/user.ts';
import type { WebhookConnections } from '#kube/apiserver/webhook-connections.ts';

export type Json = Record<string, unknown>;

export type Operation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';

export interface AdmissionRequest {
  readonly operation: Operation;
  readonly info: ResourceInfo;
  readonly subresource: string | undefined;
  readonly namespace: string | undefined;
  /** Empty when it is still to be generated. */
  readonly name: string;
  /** May be changed, and replaced; undefined for deletions. The options of connections have no metadata. */
  object: KubeObject | undefined;
  readonly old: KubeObject | undefined;
  readonly user: UserInfo;
  readonly isDryRun: boolean;
  /** CreateOptions and the like, of meta.k8s.io/v1; none for connections. */
  readonly options: Json | undefined;
  readonly warnings: string[];
  readonly deadline: Deadline | undefined;
  /** For the audit log. */
  readonly annotations: Record<string, string>;
}

export interface AdmissionServices {
  readonly webhooks: WebhookConnections;
  readonly ownServer?: OwnServer | undefined;
  readonly podSecurity: PodSecurityCounts;
  readonly lookup: ObjectLookup;
  readonly registry: ResourceRegistry;
  readonly authorize: (access: AccessRequest) => Decision | Promise<Decision>;
  /** For expressions, which cannot wait: who has to be asked elsewhere is asked before (expressions.ts). */
  readonly isAllowed: (access: AccessRequest) => boolean;
  readonly uuid: () => string;
  /** In [0, 1). */
  readonly random: () => number;
  readonly now: () => number;
  /** Makes a namespace unless there is one. */
  readonly provideNamespace: (name: string) => Promise<void>;
}

/** May change the object (`mutate`), or refuse the request (either; `validate` sees the final object). */
export interface AdmissionPlugin {
  readonly name: string;
  readonly mutate?: (
    request: AdmissionRequest,
    services: AdmissionServices,
  ) => Promise<void> | void;
  readonly validate?: (
    request: AdmissionRequest,
    services: AdmissionServices,
  ) => Promise<void> | void;
}

/** `pods "x" is forbidden: why`, as NewForbidden of apiserver's admission package. */
export function forbiddenBy(request: AdmissionRequest, why: string): ApiError {
  const { info, name, object } = request;
  const shown = name || metadataOf(object)?.name || 'Unknown';
  const resource = info.group === '' ? info.resource : `${info.resource}.${info.group}`;
  const group = info.group === '' ? {} : { group: info.group };
  return new ApiError(403, 'Forbidden', `${resource} "${shown}" is forbidden: ${why}`, {
    name: shown,
    ...group,
    kind: info.resource,
  });
}

/** undefined for the options of connections. */
export const metadataOf = (object: KubeObject | undefined): ObjectMeta | undefined =>
  object?.metadata;

export const isOf = (request: AdmissionRequest, group: string, resource: string): boolean =>
  request.info.group === group && request.info.resource === resource;

export const isPod = (request: AdmissionRequest): boolean =>
  isOf(request, '', 'pods') && request.subresource === undefined;

export const isPodCreation = (request: AdmissionRequest): boolean =>
  request.operation === 'CREATE' && isPod(request);
