// What is held is charged to the roles that it is allocated to: nearly always to one.
import type { Resources } from '#mesos/resources/resources.ts';

/** Each role with its part; `*` of what is allocated to none. */
export function splitByRole(resources: Resources): [string, Resources][] {
  const { onlyRole } = resources;
  if (onlyRole !== undefined) return [[onlyRole, resources]];
  const roles = new Set(resources.kinds().map((kind) => kind.allocation_info?.role ?? '*'));
  return [...roles].map((role): [string, Resources] => [
    role,
    resources.filter((kind) => (kind.allocation_info?.role ?? '*') === role),
  ]);
}
