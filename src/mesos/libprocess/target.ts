// What a request asks for: the path and the fields behind it, as libprocess takes them out of a request's target.
import type { Refusal } from './refusal.ts';

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

/** The fields of `a=b&c=d;e=f`, as libprocess reads them: of two of one name the last. */
export function readQuery(
  text: string,
): { readonly value: URLSearchParams } | { readonly wrong: string } {
  const fields = new URLSearchParams();
  for (const token of text.split(/[&;]/).filter(Boolean)) {
    const cut = token.indexOf('=');
    const parts = cut < 0 ? [token, ''] : [token.slice(0, cut), token.slice(cut + 1)];
    for (const part of parts) {
      const bad = /%(?![0-9a-f]{2}).{0,2}/is.exec(part);
      if (bad !== null) return { wrong: `Malformed % escape in '${part}': '${bad[0]}'` };
    }
    const [name = '', value = ''] = parts.map(unescaped);
    fields.set(name, value);
  }
  return { value: fields };
}

function unescaped(text: string): string {
  return new URLSearchParams(`text=${text}`).get('text') ?? '';
}
