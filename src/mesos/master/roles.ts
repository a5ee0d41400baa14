// Names and sets of roles of a framework (inventory 2.1).
import type { FrameworkInfo } from '#wire/mesos/v1.ts';

export function hasCapability(info: FrameworkInfo, type: string): boolean {
  return (info.capabilities ?? []).some((capability) => capability.type === type);
}

export function rolesOf(info: FrameworkInfo): string[] {
  if (hasCapability(info, 'MULTI_ROLE')) return [...(info.roles ?? [])];
  return [info.role ?? '*'];
}

export function validateRole(role: string): string | undefined {
  if (role === '*') return undefined;
  if (role === '') return 'Empty role name is invalid';
  for (const part of role.split('/')) {
    if (part === '') return `Role '${role}' cannot start or end with a slash, or have two of them`;
    if (part === '.' || part === '..') return `Role name '${part}' is disallowed`;
    if (part === '*') return `Role '${role}' cannot have '*' as a component`;
    if (part.startsWith('-')) return `Role name '${part}' is invalid because it starts with a dash`;
    // oxlint-disable-next-line no-control-regex
    if (/[\s\\\u0000-\u001f\u007f]/.test(part)) return `Role name '${part}' has invalid characters`;
  }
  return undefined;
}

export function validateFrameworkInfo(
  info: FrameworkInfo,
  suppressedRoles: readonly string[],
): string | undefined {
  const isMultiRole = hasCapability(info, 'MULTI_ROLE');
  if (isMultiRole && info.role !== undefined) {
    return "'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable";
  }
  if (!isMultiRole && (info.roles ?? []).length > 0) {
    return "'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable";
  }
  const roles = rolesOf(info);
  if (new Set(roles).size !== roles.length) return "'FrameworkInfo.roles' contains duplicate items";
  for (const role of roles) {
    const wrong = validateRole(role);
    if (wrong !== undefined) return `'FrameworkInfo.roles' contains invalid role: ${wrong}`;
  }
  for (const role of suppressedRoles) {
    if (!roles.includes(role))
      return `Suppressed role '${role}' is not contained in the list of roles`;
  }
  const timeout = info.failover_timeout ?? 0;
  if (!Number.isFinite(timeout) || timeout < 0) {
    return `The framework failover_timeout (${timeout}) is invalid`;
  }
  return undefined;
}
