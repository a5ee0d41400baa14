// Which endpoint of the master belongs to which realm of authentication, as Mesos 1.11 has it
// (inventory 1.1), and which of them want a name that tokens do not give.

export const READONLY_REALM = 'mesos-master-readonly';
export const READWRITE_REALM = 'mesos-master-readwrite';
export const SCHEDULER_REALM = 'mesos-master-scheduler';

export const NAMELESS =
  "The request's authenticated principal contains claims, but no value string. " +
  'The master currently requires that principals have a value';

const readwrite: ReadonlySet<string> = new Set([
  '/api/v1',
  '/create-volumes',
  '/destroy-volumes',
  '/reserve',
  '/unreserve',
  '/teardown',
  '/maintenance/schedule',
  '/machine/down',
  '/machine/up',
  '/weights',
  '/quota',
  '/logging/toggle',
  '/profiler/start',
  '/profiler/stop',
]);

const open: ReadonlySet<string> = new Set([
  '/health',
  '/redirect',
  '/version',
  '/system/stats.json',
  '/help',
  '/__processes__',
]);

/** Undefined for endpoints that answer everybody. */
export function realmOf(path: string): string | undefined {
  if (open.has(path)) return undefined;
  if (path === '/api/v1/scheduler') return SCHEDULER_REALM;
  return readwrite.has(path) ? READWRITE_REALM : READONLY_REALM;
}

const forNamed: ReadonlySet<string> = new Set([
  '/api/v1',
  '/api/v1/scheduler',
  '/create-volumes',
  '/destroy-volumes',
  '/reserve',
  '/unreserve',
  '/teardown',
  '/weights',
  '/quota',
  '/frameworks',
  '/flags',
  '/roles',
  '/state',
  '/state-summary',
  '/tasks',
]);

/** Callers known by claims alone are refused there. */
export function needsName(path: string): boolean {
  return forNamed.has(path);
}
