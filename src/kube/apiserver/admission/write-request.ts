// The request of a write, as admission is told of it.
import type { KubeObject } from '#kube/meta/object.ts';
import type { WriteContext } from '#kube/apiserver/resources.ts';
import type { AdmissionRequest, Operation } from './request.ts';

type Written = Exclude<Operation, 'CONNECT'>;

const optionKinds: Readonly<Record<Written, string>> = {
  CREATE: 'CreateOptions',
  UPDATE: 'UpdateOptions',
  DELETE: 'DeleteOptions',
};

export function admissionRequestOf<T extends KubeObject | undefined>(
  context: WriteContext,
  operation: Operation,
  object: T,
  old: KubeObject | undefined,
  name = (object ?? old)?.metadata.name ?? '',
): AdmissionRequest & { object: T } {
  const { info, subresource, namespace, user, isDryRun, warnings } = context;
  const options =
    operation === 'CONNECT'
      ? undefined
      : { kind: optionKinds[operation], apiVersion: 'meta.k8s.io/v1', ...context.options };
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
    options,
    warnings,
    deadline: operation === 'CONNECT' ? undefined : context.deadline,
    annotations: context.annotations ?? {},
  };
}
