// What answers of an API server mean: errors, and the events of a watch, which come as lines.
import type { KubeObject } from '#kube/meta/object.ts';
import { ApiError, type Status } from '#kube/meta/status.ts';
import type { ApiRequest, ApiResponse, Transport } from './transport.ts';

export interface WatchEvent<T extends KubeObject = KubeObject> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  readonly object: T;
}

/** The error an answer stands for. */
export function errorOf(response: Pick<ApiResponse, 'status' | 'text'>): ApiError {
  try {
    const status = JSON.parse(response.text) as Status;
    if (status.kind === 'Status') return statusError(status, response.status);
  } catch {
    // Not a Status: its text is the message.
  }
  const message = response.text === '' ? `status ${response.status}` : response.text;
  return new ApiError(response.status, 'Unknown', message.slice(0, 1024));
}

function statusError(status: Status, code: number): ApiError {
  const { reason = 'Unknown', message = '', details } = status;
  return new ApiError(status.code ?? code, reason, message, details);
}

/**
 * Calls `onEvent` for each event, in order. Resolves when the server has ended the watch or the
 * signal has; rejects with ApiError (410 Expired: list again), Fault `api-unreachable`, or what
 * `onEvent` has thrown.
 */
export async function followWatch<T extends KubeObject>(
  transport: Transport,
  request: ApiRequest,
  onEvent: (event: WatchEvent<T>) => void,
  signal: AbortSignal,
): Promise<void> {
  const stop = new AbortController();
  let failure: unknown;
  const onLine = (line: string): void => {
    if (failure !== undefined || line === '') return;
    try {
      onEvent(parseEvent<T>(line));
    } catch (error) {
      failure = error;
      stop.abort();
    }
  };
  const lines = new LineSplitter(onLine);
  const either = AbortSignal.any([signal, stop.signal]);
  const answer = await transport.stream(request, (text) => lines.push(text), either);
  if (failure !== undefined) throw failure;
  if (answer !== undefined) throw errorOf(answer);
}

function parseEvent<T extends KubeObject>(line: string): WatchEvent<T> {
  const event = JSON.parse(line) as WatchEvent<T> | { type: 'ERROR'; object: Status };
  if (event.type === 'ERROR') throw statusError(event.object, 500);
  return event;
}

class LineSplitter {
  readonly #onLine: (line: string) => void;
  #rest = '';

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  push(text: string): void {
    let start = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      const line = this.#rest + text.slice(start, end);
      this.#rest = '';
      start = end + 1;
      this.#onLine(line);
    }
    this.#rest += text.slice(start);
  }
}
