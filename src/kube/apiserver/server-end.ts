// How a server ends, by the flags of kube-apiserver about it: whoever balances load is given time to look elsewhere,
// clients are told to come back, watches end one after the other. Checks and words as kube-apiserver v1.37.
import { ServerResponse, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { plainError } from './aggregation/proxy.ts';
import { auditIdOf } from './audit/audit.ts';
import { badFlag, booleanFlag, durationFlag, type AccessFlags } from './flag-values.ts';

const DELAY = 'shutdown-delay-duration';
const RETRY = 'shutdown-send-retry-after';
const GRACE = 'shutdown-watch-termination-grace-period';

export interface EndSettings {
  /** All is served for that long, but the server says that it is not ready. */
  readonly delayMs: number;
  /** Those who come while others are still answered are told to come back, instead of finding nobody. */
  readonly tellsRetry: boolean;
  /** In which watches end one after the other; 0: all at once. */
  readonly watchGraceMs: number;
}

/** Throws Fault. */
export function endSettings(flags: AccessFlags): EndSettings {
  const delayMs = durationFlag(flags, DELAY, '0');
  if (delayMs < 0) throw badFlag(DELAY, `--${DELAY} can not be negative value`);
  const watchGraceMs = durationFlag(flags, GRACE, '0');
  if (watchGraceMs < 0) {
    throw badFlag(GRACE, `${GRACE}, if provided, can not be a negative value`);
  }
  return { delayMs, tellsRetry: booleanFlag(flags, RETRY, false), watchGraceMs };
}

const exempt = ['/readyz', '/livez', '/healthz', '/metrics'];

/** Those who look after the server are answered to its end. */
function isExempt({ url = '', headers }: IncomingMessage): boolean {
  const isOwn = headers['user-agent']?.startsWith('kube-apiserver/') === true;
  return isOwn || exempt.some((path) => url.startsWith(path));
}

function tellRetry(request: IncomingMessage, response: ServerResponse): void {
  const headers = { 'Audit-Id': auditIdOf(request), Connection: 'close', 'Retry-After': '5' };
  plainError(response, 429, 'The apiserver is shutting down, please try again later.', headers);
}

/** Lets requests in until it is shut; then those are answered that are in. */
export class RetryGate {
  readonly #inside = new Set<ServerResponse>();
  #empty: PromiseWithResolvers<void> | undefined;

  /** False for a request that has been told to come back. */
  enters(request: IncomingMessage, response: ServerResponse): boolean {
    if (isExempt(request)) return true;
    if (this.#empty !== undefined) {
      tellRetry(request, response);
      return false;
    }
    this.#inside.add(response);
    response.once('close', () => {
      this.#inside.delete(response);
      this.#check();
    });
    return true;
  }

  /** The same for one that wants another protocol; nobody waits for those that are in. */
  entersUpgrade(request: IncomingMessage, socket: Socket): boolean {
    if (this.#empty === undefined || isExempt(request)) return true;
    socket.on('error', () => {});
    const response = new ServerResponse(request);
    response.assignSocket(socket);
    response.once('finish', () => socket.end());
    tellRetry(request, response);
    return false;
  }

  /** Resolves when nobody is inside. */
  shut(): Promise<void> {
    this.#empty ??= Promise.withResolvers();
    this.#check();
    return this.#empty.promise;
  }

  #check(): void {
    if (this.#inside.size === 0) this.#empty?.resolve();
  }
}
