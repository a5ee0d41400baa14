// Which resources are those of resource providers, and which volume one is.
import type { Resource } from '#wire/mesos/v1.ts';

export function isProvided({ provider_id }: Resource): boolean {
  return provider_id !== undefined;
}

/** Undefined: raw space, or no provider's. */
export function sourceId(resource: Resource | undefined): string | undefined {
  if (resource?.provider_id === undefined) return undefined;
  return resource.disk?.source?.id;
}
