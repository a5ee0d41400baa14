// Which endpoint answers for a path: the agent's own, with and without its process, `slave(1)`, before them,
// and those of the other processes in a Mesos agent (inventory 1.2 and 3.4).

export const AGENT_ID = 'slave(1)';

/** The agent's own endpoints; each answers for every path below it, too. */
export const ownPaths: ReadonlySet<string> = new Set([
  '/api/v1',
  '/api/v1/executor',
  '/api/v1/resource_provider',
  '/containerizer/debug',
  '/containers',
  '/flags',
  '/health',
  '/monitor/statistics',
  '/state',
]);

/** What is answered on the socket of executors, as Mesos has it: they, too, launch containers. */
export const EXECUTOR_PATHS: ReadonlySet<string> = new Set([
  `/${AGENT_ID}/api/v1/executor`,
  `/${AGENT_ID}/api/v1`,
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
]);

/** The libprocess processes of a mesos-agent that answer requests. */
export const processes: readonly string[] = [
  'files',
  'logging',
  'metrics',
  'profiler',
  AGENT_ID,
  'system',
  'version',
];

/** The endpoint that answers for a path: the longest known one that it lies below. */
export function routeOf(pathname: string): string | undefined {
  const own = `/${AGENT_ID}`;
  const isOwn = pathname === own || pathname.startsWith(`${own}/`);
  let path = (isOwn ? pathname.slice(own.length) : pathname).replace(/\/+$/, '');
  for (; path !== ''; path = path.slice(0, path.lastIndexOf('/'))) {
    if (ownPaths.has(path) || (!isOwn && processPaths.has(path))) return path;
  }
  return undefined;
}

/** With the process that answers before it, as rules about endpoints name them. */
export function absolutePath(path: string): string {
  const first = path.split('/').find((part) => part !== '');
  if (first === undefined) return `/${AGENT_ID}`;
  return processes.includes(first) ? path : `/${AGENT_ID}${path}`;
}
