// Which endpoint of the agent belongs to which realm of authentication, as Mesos 1.11 has it (inventory 1.1).

export const READONLY_REALM = 'mesos-agent-readonly';
export const READWRITE_REALM = 'mesos-agent-readwrite';
export const EXECUTOR_REALM = 'mesos-agent-executor';
export const RESOURCE_PROVIDER_REALM = 'mesos-agent-resource-provider';

const open: ReadonlySet<string> = new Set(['/health', '/version', '/system/stats.json', '/help']);

/** Undefined for endpoints that answer everybody. */
export function realmOf(path: string): string | undefined {
  if (open.has(path)) return undefined;
  if (path === '/api/v1/executor') return EXECUTOR_REALM;
  if (path === '/api/v1/resource_provider') return RESOURCE_PROVIDER_REALM;
  return path === '/api/v1' || path === '/logging/toggle' ? READWRITE_REALM : READONLY_REALM;
}
