// How long a request may take: as long as its client says that it waits, and never longer than this server does. Whose
// time it was that ended is told in other words, and another form, as by kube-apiserver v1.37.
import { ApiError } from '#kube/meta/status.ts';
import type { Exchange } from './bodies.ts';
import { timeoutMs } from './request-options.ts';

/** Of upstream: what a request may take (--request-timeout), and a write from when it is begun. */
const REQUEST_MS_MAX = 60_000;
const WRITE_MS_MAX = 34_000;
/** A timer may be so early. */
const TIMER_MS = 2;

export interface Deadline {
  /** How much is left. */
  readonly leftMs: () => number;
  /** Throws once nothing is. */
  readonly check: () => void;
}

/** The client has said that it waits no longer. */
export class ClientTimeout extends Error {
  override readonly name = 'ClientTimeout';
}

/** Of a write that begins now; `now` never goes back. */
export function writeDeadline(
  query: URLSearchParams,
  receivedMs: number,
  now: () => number,
): Deadline {
  const wanted = timeoutMs(query);
  const requestEnds = receivedMs + (wanted > 0 ? Math.min(wanted, REQUEST_MS_MAX) : REQUEST_MS_MAX);
  const writeEnds = now() + WRITE_MS_MAX;
  const leftMs = (): number => Math.min(requestEnds, writeEnds) - now();
  const check = (): void => {
    if (leftMs() > TIMER_MS) return;
    if (requestEnds <= writeEnds) throw new ClientTimeout('the time of the request is over');
    const why = 'request did not complete within requested timeout - context deadline exceeded';
    throw new ApiError(504, 'Timeout', `Timeout: ${why}`, {});
  };
  return { leftMs, check };
}

/** A Status that does not say that it is one. */
export function sendClientTimeout({ response, headers = {}, audit }: Exchange): void {
  const status = {
    metadata: {},
    status: 'Failure',
    message: 'Timeout: request did not complete within the allotted timeout',
    reason: 'Timeout',
    details: {},
    code: 504,
  };
  audit?.answered(status.code, () => ({ kind: 'Status', apiVersion: 'v1', ...status }));
  if (response.headersSent || response.destroyed) return void response.destroy();
  const { 'Audit-Id': id } = headers;
  const text = `${JSON.stringify(status)}\n`;
  response.writeHead(status.code, {
    'Content-Length': Buffer.byteLength(text),
    ...(id === undefined ? {} : { 'Audit-Id': id }),
    'Cache-Control': 'no-cache, private',
    'Content-Type': 'text/plain; charset=utf-8',
  });
  response.end(text);
}
