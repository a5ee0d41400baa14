// OwnerReferencesPermissionEnforcement: owners are changed by those who may delete the object, and block
// their owner's deletion only for those who may set its finalizers.
import { same } from '#base/same.ts';
import { parseApiVersion, type KubeObject } from '#kube/meta/object.ts';
import {
  forbiddenBy,
  metadataOf,
  type AdmissionPlugin,
  type AdmissionRequest,
  type AdmissionServices,
} from './request.ts';

interface Reference {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly name?: string;
  readonly uid?: string;
  readonly blockOwnerDeletion?: boolean;
}

const ownersOf = (object: KubeObject | undefined): readonly Reference[] =>
  (metadataOf(object)?.ownerReferences ?? []) as readonly Reference[];

/** Those that block now and did not before. */
function newlyBlocking({ object, old }: AdmissionRequest): Reference[] {
  const before = new Map(ownersOf(old).map((one) => [one.uid, one.blockOwnerDeletion === true]));
  return ownersOf(object).filter(
    ({ uid, blockOwnerDeletion }) => blockOwnerDeletion === true && before.get(uid) !== true,
  );
}

const whole = { isResource: true, path: '', subresource: 'finalizers', verb: 'update' };

async function checkOwner(
  ref: Reference,
  request: AdmissionRequest,
  services: AdmissionServices,
): Promise<void> {
  const { apiVersion = '', kind = '', name = '' } = ref;
  const { group, version } = parseApiVersion(apiVersion);
  const info = services.registry.byKind(group, version, kind);
  if (info === undefined) {
    throw forbiddenBy(
      request,
      `cannot set blockOwnerDeletion in this case because cannot find RESTMapping for APIVersion ${apiVersion} Kind ${kind}: no matches for kind ${JSON.stringify(kind)} in version ${JSON.stringify(apiVersion)}`,
    );
  }
  const { user, namespace } = request;
  const { resource } = info;
  const place = info.namespaced ? namespace : undefined;
  const access = { ...whole, user, group, version, resource, name, namespace: place };
  const { kind: decision, reason } = await services.authorize(access);
  if (decision === 'allow') return;
  throw forbiddenBy(
    request,
    `cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: ${reason}, <nil>`,
  );
}

export const ownerReferences: AdmissionPlugin = {
  name: 'OwnerReferencesPermissionEnforcement',
  async validate(request, services) {
    const { operation, object, old, info, subresource, namespace, name, user } = request;
    if (operation !== 'CREATE' && operation !== 'UPDATE') return;
    // Their strategies keep owners as they are.
    if (info.group === '' && info.resource === 'pods' && subresource === 'status') return;
    if (metadataOf(object) === undefined || same(ownersOf(object), ownersOf(old))) return;
    if (operation === 'UPDATE') {
      const { group, version, resource } = info;
      const access = { user, verb: 'delete', isResource: true, path: '', group, version, resource };
      const decision = await services.authorize({ ...access, subresource, namespace, name });
      if (decision.kind !== 'allow') {
        throw forbiddenBy(
          request,
          `cannot set an ownerRef on a resource you can't delete: ${decision.reason}, <nil>`,
        );
      }
    }
    const blocking = newlyBlocking(request);
    if (blocking.length === 0) return;
    const anything = { ...whole, user, group: '*', version: '*', resource: '*', name: '*' };
    const may = await services.authorize({ ...anything, namespace: undefined });
    if (may.kind === 'allow') return;
    for (const ref of blocking) await checkOwner(ref, request, services);
  },
};
