// What of a write needs the whole cluster: addresses of services (cluster-ips.ts).
import type { KubeObject } from '#kube/meta/object.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';

/** Gives back what a write has taken. */
export type Release = () => Promise<void>;

/** What needs the whole cluster: addresses of services. What was taken is given back when nothing is stored. */
export interface Allocation {
  create(info: ResourceInfo, object: KubeObject, isDryRun: boolean): Promise<Release | undefined>;
  update(
    info: ResourceInfo,
    next: KubeObject,
    live: KubeObject,
    isDryRun: boolean,
  ): Promise<Release | undefined>;
  /** It is gone, or has become another; what it held is free. */
  release(object: KubeObject): Promise<void>;
}

/** What was taken is given back when nothing is stored. */
export async function giveBack<T>(
  release: Release | undefined,
  store: () => Promise<T | undefined>,
): Promise<T | undefined> {
  let stored: T | undefined;
  try {
    stored = await store();
  } finally {
    if (stored === undefined) await release?.();
  }
  return stored;
}
