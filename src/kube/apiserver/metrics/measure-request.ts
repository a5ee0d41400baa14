// One request from its beginning to the end of its answer: how long, how big.
import type { Exchange } from '#kube/apiserver/bodies.ts';
import type { RequestInfo } from '#kube/apiserver/request-info.ts';
import { scopeOf, verbOf, type RequestMetrics } from './request-metrics.ts';
import type { InternalMetrics } from './internals.ts';

const sizeOf = (header: unknown): number | undefined => {
  const size = Number(header);
  return header === undefined || Number.isNaN(size) ? undefined : size;
};

/** `isKnown`: of a resource that is served. */
export function measureRequest(
  exchange: Exchange,
  { info, isKnown }: { readonly info: RequestInfo; readonly isKnown: boolean },
  to: {
    readonly requests: RequestMetrics;
    readonly internals: InternalMetrics;
    readonly now: () => number;
  },
): void {
  const { request, response } = exchange;
  const { requests, internals, now } = to;
  const startedAt = now();
  const isApply = String(request.headers['content-type'] ?? '').includes('apply-patch');
  const end = requests.begin({ info, isKnown, isApply });
  const body = sizeOf(request.headers['content-length']);
  if (isKnown && body !== undefined) internals.asked(info, info.verb, body);
  response.once('close', () => {
    end(response.statusCode, (now() - startedAt) / 1_000);
    const answer = exchange.answeredBytes;
    const verb = verbOf(info, isApply);
    if (!isKnown || answer === undefined || (verb !== 'GET' && verb !== 'LIST')) return;
    const { subresource = '' } = info;
    internals.answered(info, { scope: scopeOf(info), subresource, verb }, answer);
  });
}
