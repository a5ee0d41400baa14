// What a request asks for: the path and the fields behind it, as libprocess takes them out of a request's target.
import { readQuery } from './form-json.ts';
import type { Refusal } from './types.ts';

export interface Target {
  /** Begins with `/`; no two of them follow each other. */
  readonly pathname: string;
  readonly query: URLSearchParams;
  /** Both as they came, for whom it is passed on to. */
  readonly whole: string;
}

/** Proxies send it whole. */
const ORIGIN = /^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i;

export function readTarget(url: string): Target | Refusal {
  const [whole = ''] = url.replace(ORIGIN, '').split('#', 1);
  const cut = whole.indexOf('?');
  const path = cut < 0 ? whole : whole.slice(0, cut);
  if (!path.startsWith('/')) {
    return { status: 400, message: "Request URL path must start with '/'" };
  }
  const query = readQuery(cut < 0 ? '' : whole.slice(cut + 1));
  // Mesos ends the connection without an answer then.
  if ('wrong' in query) return { status: 400, message: query.wrong };
  return { pathname: path.replaceAll(/\/{2,}/g, '/'), query: query.value, whole };
}
