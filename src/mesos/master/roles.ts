// Names and sets of roles of a framework (inventory 2.1).
import { validateRole } from '#mesos/resources/role-names.ts';
import type { FrameworkInfo } from '#wire/mesos/v1.ts';
import { validateId } from '#mesos/validation/ids.ts';

/** How Mesos says in messages to agents that a framework has no address: it speaks HTTP. */
export const NO_PID = '@0.0.0.0:0';

export function hasCapability(info: FrameworkInfo, type: string): boolean {
  return (info.capabilities ?? []).some((capability) => capability.type === type);
}

export function rolesOf(info: FrameworkInfo): string[] {
  if (hasCapability(info, 'MULTI_ROLE')) return [...(info.roles ?? [])];
  return [info.role ?? '*'];
}

/** 2^63 nanoseconds: what a duration can hold. */
const TIMEOUT_SECONDS_MAX = 9_223_372_036;

function validateRoles(info: FrameworkInfo): string | undefined {
  const isMultiRole = hasCapability(info, 'MULTI_ROLE');
  if (isMultiRole && info.role !== undefined) {
    return "'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable";
  }
  if (!isMultiRole && (info.roles ?? []).length > 0) {
    return "'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable";
  }
  const roles = rolesOf(info);
  const twice = new Set(roles.filter((role, i) => roles.indexOf(role) !== i));
  if (twice.size > 0) {
    return `'FrameworkInfo.roles' contains duplicate items: { ${[...twice].join(', ')} }`;
  }
  for (const role of roles) {
    const wrong = validateRole(role);
    if (wrong === undefined) continue;
    return isMultiRole
      ? `'FrameworkInfo.roles' contains invalid role: ${wrong}`
      : `'FrameworkInfo.role' is not a valid role: ${wrong}`;
  }
  return undefined;
}

/** As C++ prints it. */
function shown(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (Number.isFinite(value)) return String(value);
  return value < 0 ? '-inf' : 'inf';
}

export function validateFrameworkInfo(
  info: FrameworkInfo,
  suppressedRoles: readonly string[],
): string | undefined {
  const wrong = validateRoles(info);
  if (wrong !== undefined) return wrong;
  const id = info.id?.value ?? '';
  const wrongId = id === '' ? undefined : validateId(id);
  if (wrongId !== undefined) return wrongId;
  const roles = rolesOf(info);
  for (const role of suppressedRoles) {
    if (!roles.includes(role)) {
      return `Suppressed role '${role}' is not contained in the list of roles`;
    }
  }
  const timeout = info.failover_timeout ?? 0;
  if (!(Math.abs(timeout) <= TIMEOUT_SECONDS_MAX)) {
    return `The framework failover_timeout (${shown(timeout)}) is invalid`;
  }
  return undefined;
}
