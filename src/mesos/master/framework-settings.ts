// What of a framework concerns the allocator: roles, capabilities, what offers it wants at all, and
// whether that is well formed (inventory 2.4, 2.11; the words of Mesos 1.11).
import type { FrameworkSettings, Minimums } from '#mesos/allocator/allocator-core.ts';
import { compileConstraints } from '#mesos/allocator/constraints.ts';
import type { FrameworkInfo, SchedulerOfferConstraints } from '#wire/mesos/v1.ts';
import { hasCapability, rolesOf } from './roles.ts';
import type { FrameworkRecord } from './types.ts';

function minimumsOf(info: FrameworkInfo): Map<string, Minimums> {
  const minimums = new Map<string, Minimums>();
  for (const [role, { min_allocatable_resources }] of Object.entries(info.offer_filters ?? {})) {
    if (min_allocatable_resources === undefined) continue;
    const any = (min_allocatable_resources.quantities ?? []).map(
      ({ quantities = {} }) =>
        new Map(
          Object.entries(quantities).map(([name, { value }]) => [name, Math.round(value * 1_000)]),
        ),
    );
    minimums.set(role, any);
  }
  return minimums;
}

export function settingsOf(framework: FrameworkRecord): FrameworkSettings {
  const { info } = framework;
  const conditions = compileConstraints(framework.offerConstraints);
  const has = (type: string): boolean => hasCapability(info, type);
  return {
    roles: rolesOf(info),
    suppressedRoles: [...framework.suppressedRoles],
    isRevocable: has('REVOCABLE_RESOURCES'),
    isGpuAware: has('GPU_RESOURCES'),
    isShared: has('SHARED_RESOURCES'),
    isRefining: has('RESERVATION_REFINEMENT'),
    isRegionAware: has('REGION_AWARE'),
    isMultiRole: has('MULTI_ROLE'),
    minimums: minimumsOf(info),
    ...(typeof conditions === 'string' ? {} : { conditions }),
  };
}

function wrongNumber(value: number): string | undefined {
  if (Number.isNaN(value)) return 'NaN not supported';
  if (!Number.isFinite(value)) return 'Infinite values not supported';
  return value < 0 ? 'Negative values not supported' : undefined;
}

/** Minimal offers that the framework wants, by role. */
export function validateOfferFilters(info: FrameworkInfo): string | undefined {
  for (const { min_allocatable_resources } of Object.values(info.offer_filters ?? {})) {
    for (const { quantities = {} } of min_allocatable_resources?.quantities ?? []) {
      const all = Object.entries(quantities);
      if (all.length === 0) return 'Resource quantities must contain at least one quantity';
      for (const [name, { value }] of all) {
        const wrong = wrongNumber(value);
        if (wrong !== undefined) return `Invalid resource quantity for '${name}': ${wrong}`;
      }
    }
  }
  return undefined;
}

/** Roles that the framework has not are let through, as by Mesos 1.11: they may be its own later. */
export function validateOfferConstraints(
  constraints: SchedulerOfferConstraints | undefined,
): string | undefined {
  const compiled = compileConstraints(constraints);
  return typeof compiled === 'string' ? compiled : undefined;
}

/** As they are kept and shown: of no role is as if there were none. */
export function keptConstraints(
  constraints: SchedulerOfferConstraints | undefined,
): SchedulerOfferConstraints | undefined {
  return Object.keys(constraints?.role_constraints ?? {}).length === 0 ? undefined : constraints;
}
