// What a request is about: parsed from method, path and query as kube-apiserver parses them.

export interface RequestInfo {
  readonly isResource: boolean;
  readonly path: string;
  /** get, list, watch, create, update, patch, delete, deletecollection; else the method in lower case. */
  readonly verb: string;
  readonly group: string;
  readonly version: string;
  readonly namespace: string | undefined;
  readonly resource: string;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
  /** What follows the subresource: paths that are proxied. */
  readonly rest: string;
  readonly query: URLSearchParams;
}

const methodVerbs: Readonly<Record<string, string>> = {
  POST: 'create',
  GET: 'get',
  HEAD: 'get',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

/** As Go reads a flag of a query: everything but these is true. */
export function isTrue(text: string | null): boolean {
  return text !== null && !['false', '0'].includes(text.toLowerCase());
}

/** Go passes over parts of a query that it cannot read. */
function readable(url: URL): URLSearchParams {
  if (!/;|%(?![0-9a-fA-F]{2})/.test(url.search)) return url.searchParams;
  const parts = url.search.slice(1).split('&');
  return new URLSearchParams(parts.filter((one) => !/;|%(?![0-9a-fA-F]{2})/.test(one)).join('&'));
}

export function parseRequest(method: string, target: string): RequestInfo {
  const url = new URL(target, 'https://server');
  const path = url.pathname;
  const query = readable(url);
  // As Go has it: a slash that was written as %2F is one like the others.
  const parts = decodeURIComponent(path)
    .split('/')
    .filter((part) => part !== '');
  const none = {
    path,
    query,
    verb: method.toLowerCase(),
    isResource: false,
    group: '',
    version: '',
    namespace: undefined,
    resource: '',
    name: undefined,
    subresource: undefined,
    rest: '',
  };
  const isCore = parts[0] === 'api';
  const least = isCore ? 3 : 4;
  if ((!isCore && parts[0] !== 'apis') || parts.length < least) return none;
  const group = isCore ? '' : (parts[1] ?? '');
  const version = (isCore ? parts[1] : parts[2]) ?? '';
  let rest = parts.slice(isCore ? 2 : 3);
  let verb = methodVerbs[method] ?? method.toLowerCase();
  if (rest[0] === 'watch' && rest.length > 1) {
    rest = rest.slice(1);
    verb = 'watch';
  }
  let namespace: string | undefined;
  if (rest[0] === 'namespaces' && rest.length > 1) {
    namespace = rest[1];
    // `namespaces/x`, `namespaces/x/status` and `…/finalize` are about the namespace itself.
    const isOwn =
      rest.length === 2 || (rest.length === 3 && ['status', 'finalize'].includes(rest[2] ?? ''));
    if (!isOwn) rest = rest.slice(2);
  }
  const [resource = '', name, subresource, ...tail] = rest;
  if (name === undefined) {
    if (verb === 'get') verb = isTrue(query.get('watch')) ? 'watch' : 'list';
    else if (verb === 'delete') verb = 'deletecollection';
  }
  return {
    ...none,
    isResource: true,
    verb,
    group,
    version,
    namespace,
    resource,
    name,
    subresource,
    rest: tail.join('/'),
  };
}

const longSubresources = new Set(['attach', 'exec', 'proxy', 'log', 'portforward']);

/** Nobody waits for its end. */
export const isLongRunning = ({ subresource }: RequestInfo): boolean =>
  subresource !== undefined && longSubresources.has(subresource);

/** No time that a client says bounds it, and it is written down twice: when the answer begins, and at its end. */
export const takesLong = (info: RequestInfo): boolean =>
  info.verb === 'watch' || isLongRunning(info);
