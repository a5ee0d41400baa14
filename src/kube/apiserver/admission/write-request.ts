// The request of a write, as admission is told of it.
import type { KubeObject } from '#kube/meta/object.ts';
import type { WriteContext } from '#kube/apiserver/resources.ts';
import type { AdmissionRequest, Operation } from './request.ts';

const optionKinds: Readonly<Record<Operation, string>> = {
  CREATE: 'CreateOptions',
  UPDATE: 'UpdateOptions',
  DELETE: 'DeleteOptions',
  CONNECT: '',
};

export function admissionRequestOf(
  context: WriteContext,
  operation: Operation,
  object: KubeObject | undefined,
  old: KubeObject | undefined,
  name = (object ?? old)?.metadata.name ?? '',
): AdmissionRequest {
  const { info, subresource, namespace, user, isDryRun, warnings, fieldManager } = context;
  const manager = operation === 'DELETE' || operation === 'CONNECT' ? {} : { fieldManager };
  return {
    operation,
    info,
    subresource,
    namespace,
    name,
    object,
    old,
    user,
    isDryRun,
    options: { kind: optionKinds[operation], apiVersion: 'meta.k8s.io/v1', ...manager },
    warnings,
    annotations: context.annotations ?? {},
  };
}
