// Which path of the agent is which: its own process is `slave(1)`, with and without it before them.

export const AGENT_ID = 'slave(1)';

/** Other processes in the same program that answer under their own names. */
const processNames: ReadonlySet<string> = new Set([
  AGENT_ID,
  'files',
  'logging',
  'metrics',
  'profiler',
  'system',
  'version',
]);

/** `/slave(1)/state/` and `/state` are one. */
export function routeOf(pathname: string): string {
  const path = decodeURIComponent(pathname).replace(/\/+$/, '');
  const own = `/${AGENT_ID}`;
  return path === own || path.startsWith(`${own}/`) ? path.slice(own.length) : path;
}

/** With the process that answers before it, as rules about endpoints name them. */
export function absolutePath(path: string): string {
  const first = path.split('/').find((part) => part !== '');
  if (first === undefined) return `/${AGENT_ID}`;
  return processNames.has(first) ? path : `/${AGENT_ID}${path}`;
}
