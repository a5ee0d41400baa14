// What admission, conversion and the callers of webhooks may ask of the cluster: objects, by resource and name.
import type { KubeObject } from '#kube/meta/object.ts';

export interface ObjectLookup {
  get(
    group: string,
    resource: string,
    namespace: string | undefined,
    name: string,
  ): Promise<KubeObject | undefined>;
  list(
    group: string,
    resource: string,
    namespace: string | undefined,
  ): Promise<readonly KubeObject[]>;
}
