// What operations on offers turn into what: a reservation, a volume, a grown volume. Used by the
// master when it accepts an operation and by the agent when it applies it (Mesos 1.11).
import type { Offer_Operation, Resource } from '#wire/mesos/v1.ts';
import {
  isDynamicallyReserved,
  isPersistentVolume,
  needsCheckpoint,
  toPostRefinement,
  withoutVolume,
} from './kinds.ts';
import { Resources } from './resources.ts';
import { resourcesText, resourceText } from './text.ts';

export interface Conversion {
  readonly consumed: Resources;
  readonly converted: Resources;
  /** No copy of it may be left afterwards. */
  readonly gone?: Resource | undefined;
}

export type Converted<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: string };

function plus(resource: Resource, milli: number): Resource {
  const value = (Math.round((resource.scalar?.value ?? 0) * 1_000) + milli) / 1_000;
  return { ...resource, scalar: { value } };
}

function milliOf(resource: { readonly scalar?: { readonly value: number } | undefined }): number {
  return Math.round((resource.scalar?.value ?? 0) * 1_000);
}

function one(resource: Resource): Resources {
  return Resources.of([resource]);
}

function ofGrow(volume: Resource, addition: Resource): Conversion {
  return {
    consumed: Resources.of([volume, addition]),
    converted: one(plus(volume, milliOf(addition))),
  };
}

function ofShrink(volume: Resource, by: number): Conversion {
  const freed = { ...withoutVolume(volume), scalar: { value: by / 1_000 } };
  return { consumed: one(volume), converted: Resources.of([plus(volume, -by), freed]) };
}

/** The operation must have been validated. Launches and disks of providers have no conversions. */
export function conversionsOf(operation: Offer_Operation): Conversion[] {
  switch (operation.type) {
    case 'RESERVE': {
      const converted = Resources.of(operation.reserve?.resources);
      const source = operation.reserve?.source ?? [];
      const consumed = source.length > 0 ? Resources.of(source) : converted.popReservation();
      return [{ consumed, converted }];
    }
    case 'UNRESERVE':
      return (operation.unreserve?.resources ?? []).map((reserved) => {
        const consumed = one(reserved);
        return { consumed, converted: consumed.popReservation() };
      });
    case 'CREATE':
      return (operation.create?.volumes ?? []).map((volume) => ({
        consumed: one(withoutVolume(toPostRefinement(volume))),
        converted: one(volume),
      }));
    case 'DESTROY':
      return (operation.destroy?.volumes ?? []).map((volume) => ({
        consumed: one(volume),
        converted: one(withoutVolume(toPostRefinement(volume))),
        gone: volume,
      }));
    case 'GROW_VOLUME': {
      const grow = operation.grow_volume;
      return grow === undefined ? [] : [ofGrow(grow.volume, grow.addition)];
    }
    case 'SHRINK_VOLUME': {
      const shrink = operation.shrink_volume;
      if (shrink === undefined) return [];
      const by = Math.round(shrink.subtract.value * 1_000);
      return [ofShrink(toPostRefinement(shrink.volume), by)];
    }
    default:
      return [];
  }
}

/** What a disk is made or unmade of, as it was offered; of other operations the outcome is foreseen. */
export function takenBy({ create_disk, destroy_disk }: Offer_Operation): Resources {
  const source = create_disk?.source ?? destroy_disk?.source;
  return source === undefined ? Resources.none : one(source);
}

export function applyConversions(
  resources: Resources,
  conversions: readonly Conversion[],
): Converted<Resources> {
  let result = resources;
  for (const { consumed, converted, gone } of conversions) {
    if (!result.contains(consumed)) {
      const error = `${resourcesText(result)} does not contain ${resourcesText(consumed)}`;
      return { ok: false, error };
    }
    result = result.subtract(consumed).add(converted);
    if (gone !== undefined && result.contains(one(gone))) {
      const error = `Persistent volume ${resourceText(gone)} cannot be removed due to additional shared copies`;
      return { ok: false, error };
    }
  }
  return { ok: true, value: result };
}

/** The provider of what it is about; undefined: the agent's own resources. */
export function providerOf(operation: Offer_Operation): string | undefined {
  const { reserve, unreserve, create, destroy, grow_volume, shrink_volume } = operation;
  const first =
    reserve?.resources?.[0] ??
    unreserve?.resources?.[0] ??
    create?.volumes?.[0] ??
    destroy?.volumes?.[0] ??
    grow_volume?.volume ??
    shrink_volume?.volume ??
    operation.create_disk?.source ??
    operation.destroy_disk?.source;
  return first?.provider_id?.value;
}

/** The same conversions of resources that are allocated to nobody: of an agent's total. */
export function unallocated(conversions: readonly Conversion[]): Conversion[] {
  return conversions.map(({ consumed, converted, gone }) => {
    const { allocation_info: _role, ...plain } = gone ?? { name: '', type: 'SCALAR' as const };
    return {
      consumed: consumed.allocatedTo(undefined),
      converted: converted.allocatedTo(undefined),
      ...(gone === undefined ? {} : { gone: plain }),
    };
  });
}

/**
 * What an agent has, from what it is configured with and what was reserved and created on it since.
 * An error when the configuration no longer holds what was made of it.
 */
export function withCheckpointed(
  configured: Resources,
  checkpointed: Resources,
): Converted<Resources> {
  let total = configured;
  for (const resource of checkpointed.toWire()) {
    if (!needsCheckpoint(resource)) {
      return { ok: false, error: `Unexpected checkpointed resources ${resourceText(resource)}` };
    }
    let plain = isPersistentVolume(resource) ? withoutVolume(resource) : resource;
    const first = plain.reservations?.[0];
    if (isDynamicallyReserved(plain)) {
      const { reservations: _all, ...rest } = plain;
      plain = first?.type === 'STATIC' ? { ...rest, reservations: [first] } : rest;
    }
    if (!total.contains(one(plain))) {
      const error = `Incompatible agent resources: ${resourcesText(total)} does not contain ${resourceText(plain)}`;
      return { ok: false, error };
    }
    total = total.subtract(one(plain)).add(one(resource));
  }
  return { ok: true, value: total };
}
