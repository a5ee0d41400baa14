// Writes of the server itself: not subject to admission, by the user that upstream's loopback client is.
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import type { WriteContext } from './resources.ts';
import { authenticated } from './user.ts';

const system = authenticated('system:apiserver', ['system:masters']);

export function systemWrite(
  info: ResourceInfo,
  place: {
    readonly namespace?: string | undefined;
    readonly subresource?: string | undefined;
  } = {},
): WriteContext {
  return {
    info,
    subresource: place.subresource,
    namespace: place.namespace,
    user: system,
    fieldManager: 'kube-apiserver',
    fieldValidation: 'Ignore',
    isDryRun: false,
    isAdmitted: true,
    warnings: [],
  };
}
