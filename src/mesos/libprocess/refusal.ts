// Why a request over HTTP is not done: a status and a text, as the peer's own programs give them.

/** A call that is refused with an HTTP status, before it changed anything. */
export interface Refusal {
  readonly status: number;
  readonly message: string;
}

/** What a caller is told who may not do it. */
export const FORBIDDEN: Refusal = { status: 403, message: '403 Forbidden.' };
