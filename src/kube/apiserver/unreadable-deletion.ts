// Deletion of what cannot be read (ignoreStoreReadErrorWithClusterBreakingPotential; apiserver v0.37, delete.go and
// corrupt_obj_deleter.go): whoever may do so takes the value away as it lies in the store. Nobody else is asked: there
// is no object that preconditions, finalizers, admission or allocations could be about.
import { ApiError, notFound } from '#kube/meta/status.ts';
import type { Store } from '#store/store.ts';
import type { AuthorizerChain } from './authz/authorizer.ts';
import { faultOf, objectKey } from './object-store.ts';
import type { AccessRequest } from './rbac.ts';
import type { WriteContext } from './resources.ts';
import { checkLookup, readableAfterAll } from './write-checks.ts';

const VERB = 'unsafe-delete-ignore-read-errors';
/** Looked for in the audit log: that it was tried, whatever came of it. */
const TRIED = 'apiserver.k8s.io/unsafe-delete-ignore-read-error';

/** The answer; throws ApiError. */
export async function deleteUnreadable(
  { store, authorizer }: { readonly store: Store; readonly authorizer: AuthorizerChain },
  context: WriteContext,
  access: AccessRequest,
): Promise<object> {
  const { info, namespace, annotations } = context;
  const { name = '' } = access;
  if (annotations !== undefined) annotations[TRIED] = '';
  if (info.group === '' && info.resource === 'namespaces') throw unprovided();
  await checkAllowed(authorizer, context, access);
  checkLookup(name);
  const key = objectKey(info, namespace, name);
  for (;;) {
    const kv = await store.get(key);
    if (kv === undefined) throw notFound(info, name);
    if (faultOf(kv) === undefined) throw readableAfterAll(info, key, name);
    if (context.isDryRun) break;
    const { ok } = await store.txn({
      compare: [{ key, target: 'mod', equals: kv.modRevision }],
      then: [{ kind: 'delete', key }],
    });
    if (ok) break;
  }
  const details = { name, kind: info.kind };
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details, code: 200 };
}

/** The storage of namespaces is not made for it. */
function unprovided(): ApiError {
  const message =
    'no unsafe deleter provided, can not honor ignoreStoreReadErrorWithClusterBreakingPotential';
  const details = { causes: [{ message }] };
  return new ApiError(500, 'InternalError', `Internal error occurred: ${message}`, details);
}

async function checkAllowed(
  authorizer: AuthorizerChain,
  { info }: WriteContext,
  access: AccessRequest,
): Promise<void> {
  const { kind, reason } = await authorizer.authorize({ ...access, verb: VERB });
  if (kind === 'allow') return;
  const { group, resource } = info;
  const { name = '' } = access;
  const of = group === '' ? resource : `${resource}.${group}`;
  const why = `not permitted to do "${VERB}", reason: ${reason}`;
  const details = { name, ...(group === '' ? {} : { group }), kind: resource };
  throw new ApiError(403, 'Forbidden', `${of} "${name}" is forbidden: ${why}`, details);
}
