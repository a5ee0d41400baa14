// Errors that the handlers of requests share, as kube-apiserver words them.
import { Fault } from '#base/fault.ts';
import { ApiError } from '#kube/meta/status.ts';

export function internal(error: unknown): ApiError {
  const detail = error instanceof Fault ? error.detail : undefined;
  if (detail?.code === 'store-value-too-large') {
    // Upstream passes on what etcd or its client says, and gives no reason.
    return new ApiError(500, '', String(detail['words'] ?? 'etcdserver: request is too large'));
  }
  return new ApiError(500, 'InternalError', `Internal error occurred: ${(error as Error).message}`);
}

export function unknownResource(): ApiError {
  return new ApiError(404, 'NotFound', 'the server could not find the requested resource', {});
}

export const isStackOverflow = (error: unknown): boolean =>
  error instanceof RangeError && error.message.includes('call stack');
