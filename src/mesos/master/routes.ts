// Which endpoint answers for a path: the master's own, with and without `/master` before them, and those
// of the other processes in a Mesos master (inventory 1.1 and 1.2).

export const readingPaths: ReadonlySet<string> = new Set([
  '/state',
  '/state-summary',
  '/slaves',
  '/frameworks',
  '/tasks',
  '/roles',
  '/flags',
]);

/** Those that change something, with the methods that they take. */
export const methodsOf: Readonly<Record<string, readonly string[]>> = {
  '/weights': ['GET', 'PUT'],
  '/quota': ['GET', 'POST', 'DELETE'],
  '/maintenance/schedule': ['GET', 'POST'],
  '/maintenance/status': ['GET'],
  '/machine/down': ['POST'],
  '/machine/up': ['POST'],
  '/teardown': ['POST'],
  '/reserve': ['POST'],
  '/unreserve': ['POST'],
  '/create-volumes': ['POST'],
  '/destroy-volumes': ['POST'],
};

export const changingPaths: ReadonlySet<string> = new Set(Object.keys(methodsOf));

/** The master's own endpoints; each answers for every path below it, too. */
export const ownPaths: ReadonlySet<string> = new Set([
  ...readingPaths,
  ...changingPaths,
  '/api/v1',
  '/api/v1/scheduler',
  '/health',
  '/redirect',
]);
/** Those of other processes in the same program. */
const processPaths: ReadonlySet<string> = new Set([
  '/version',
  '/metrics/snapshot',
  '/system/stats.json',
  '/logging/toggle',
  '/files/debug',
  '/files/browse',
  '/files/read',
  '/files/download',
  '/profiler/start',
  '/profiler/stop',
  '/help',
  '/__processes__',
  '/registrar(1)/registry',
  '/allocator/offer_constraints_debug',
  '/allocator/explain',
]);

/**
 * The endpoint that answers for a path: the longest known one that it lies below. The master answers
 * with and without `/master` before it.
 */
export function routeOf(pathname: string): string | undefined {
  const isMaster = pathname === '/master' || pathname.startsWith('/master/');
  let path = (isMaster ? pathname.slice('/master'.length) : pathname).replace(/\/+$/, '');
  for (; path !== ''; path = path.slice(0, path.lastIndexOf('/'))) {
    if (ownPaths.has(path)) {
      // Nothing lies below the redirection.
      return path === '/redirect' && routeRest(pathname, path) ? undefined : path;
    }
    if (!isMaster && processPaths.has(path)) return path;
  }
  return undefined;
}

const processNames: ReadonlySet<string> = new Set(
  ['/master', ...processPaths].map((path) => path.split('/')[1] ?? ''),
);

/** With the process that answers before it, as rules about endpoints name them. */
export function absolutePath(path: string): string {
  const first = path.split('/').find((part) => part !== '');
  if (first === undefined) return '/master';
  return processNames.has(first) ? path : `/master${path}`;
}

function routeRest(pathname: string, path: string): boolean {
  return !pathname.replace(/\/+$/, '').endsWith(path);
}
