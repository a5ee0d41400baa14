// NamespaceLifecycle: nothing is made in a namespace that is not there or that is going away.
import { ApiError, notFound } from '#kube/meta/status.ts';
import { forbiddenBy, isOf, type AdmissionPlugin, type AdmissionRequest } from './request.ts';

const immortal = new Set(['default', 'kube-system', 'kube-public']);

export const namespaceLifecycle: AdmissionPlugin = {
  name: 'NamespaceLifecycle',
  async mutate(request, { lookup }) {
    const { operation, info, namespace, name } = request;
    if (operation === 'DELETE' && isOf(request, '', 'namespaces') && immortal.has(name)) {
      throw forbiddenBy(request, 'this namespace may not be deleted');
    }
    if (operation !== 'CREATE' || !info.namespaced || namespace === undefined) return;
    const found = await lookup.get('', 'namespaces', undefined, namespace);
    if (found === undefined) throw notFound({ group: '', resource: 'namespaces' }, namespace);
    if (found.metadata.deletionTimestamp === undefined) return;
    const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
    const error = forbiddenBy(request, why);
    const cause = {
      reason: 'NamespaceTerminating',
      message: `namespace ${namespace} is being terminated`,
      field: 'metadata.namespace',
    };
    throw new ApiError(403, 'Forbidden', error.message, { ...error.details, causes: [cause] });
  },
};

/** Before every plugin, and not one of them: nothing is made of a kind whose definition goes. */
export function refuseOfGoing(request: AdmissionRequest): void {
  const { operation, info, subresource } = request;
  if (operation !== 'CREATE' || info.isGoing !== true || subresource !== undefined) return;
  const why = 'create not allowed while custom resource definition is terminating';
  throw forbiddenBy(request, why);
}

/** Off by default: also what is changed or deleted has to be in a namespace that is there. */
export const namespaceExists: AdmissionPlugin = {
  name: 'NamespaceExists',
  async validate(request, { lookup }) {
    const { operation, namespace } = request;
    if (operation === 'CONNECT' || isOf(request, '', 'namespaces')) return;
    if (namespace === undefined || namespace === '') return;
    if ((await lookup.get('', 'namespaces', undefined, namespace)) !== undefined) return;
    throw notFound({ group: '', resource: 'namespaces' }, namespace);
  },
};

/** Off by default: what is made in a namespace that is not there makes the namespace, too. */
export const namespaceAutoProvision: AdmissionPlugin = {
  name: 'NamespaceAutoProvision',
  async mutate({ operation, info, namespace = '', isDryRun }, { lookup, provideNamespace }) {
    if (operation !== 'CREATE' || isDryRun || namespace === '') return;
    if (info.group === '' && info.resource === 'namespaces') return;
    const found = await lookup.get('', 'namespaces', undefined, namespace);
    if (found === undefined) await provideNamespace(namespace);
  },
};
