// One call of the Kubernetes API, as clients make it.
import { ApiError } from '#kube/meta/status.ts';

export interface ApiCall {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
  readonly contentType?: string | undefined;
}

/** Resolves with the parsed answer; rejects with ApiError. */
export type CallApi = (call: ApiCall) => Promise<unknown>;

export function hasCode(error: unknown, ...codes: readonly number[]): boolean {
  return error instanceof ApiError && codes.includes(error.code);
}
