// Requests that the server of an API service answers, or nobody while it is not there.
import type { Exchange } from '#kube/apiserver/bodies.ts';
import type { UserInfo } from '#kube/apiserver/user.ts';
import type { Remote } from './aggregation.ts';
import { isAvailable } from './availability.ts';
import { passRequest, plainError } from './proxy.ts';

export const UNAVAILABLE = 'service unavailable';

/** Resolves when the answer has gone, or the client. */
export async function passOn(exchange: Exchange, remote: Remote, user: UserInfo): Promise<void> {
  if (!isAvailable(remote.service)) return plainError(exchange.response, 503, UNAVAILABLE);
  await passRequest(exchange, { ...remote, user });
}
