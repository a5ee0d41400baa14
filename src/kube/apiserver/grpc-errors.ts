// What a call of gRPC came to, as Go's library says it.
import { status, type ServiceError } from '@grpc/grpc-js';

/** As Go shows it: `FailedPrecondition`. */
export function grpcCode(code: number | undefined): string {
  if (code === status.OK) return 'OK';
  const words = String(status[code ?? status.UNKNOWN] ?? 'UNKNOWN').split('_');
  return words.map((word) => word.charAt(0) + word.slice(1).toLowerCase()).join('');
}

/** undefined for what is no failure of a call. */
export function grpcCodeOf(error: unknown): string | undefined {
  const { code } = error as Partial<ServiceError>;
  return typeof code === 'number' ? grpcCode(code) : undefined;
}

export function grpcText(error: unknown): string {
  const { details, message } = error as Partial<ServiceError>;
  const code = grpcCodeOf(error);
  return code === undefined ? String(message) : `rpc error: code = ${code} desc = ${details ?? ''}`;
}
