// Makes the slices that are there into those that are wanted, with as few writes as may be. Pure.
import { endpointSlices } from '#kube/client/resources.ts';
import type { Effect } from '#kube/controllers/effects.ts';
import { same } from '#base/same.ts';
import { ownerReference } from '#kube/controllers/owners.ts';
import type { KubeObject } from '#kube/meta/object.ts';

export const SERVICE_NAME = 'kubernetes.io/service-name';
export const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';

export interface WantedSlice {
  readonly addressType: string;
  readonly ports: readonly object[];
  readonly endpoints: readonly object[];
}

export interface SlicesRequest {
  /** A service, or Endpoints that are mirrored; slices bear its name. */
  readonly owner: KubeObject;
  /** Those that are there and may be written. */
  readonly own: readonly KubeObject[];
  readonly wanted: readonly WantedSlice[];
  readonly labels: Readonly<Record<string, string>>;
  /** Put on what is written, beside those that it has. */
  readonly annotations: Readonly<Record<string, string>>;
  /** Whether a slice is written for its annotations alone. */
  readonly areAnnotationsCompared?: boolean | undefined;
}

export function byName(a: KubeObject, b: KubeObject): number {
  return (a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1;
}

export function settleSlices(request: SlicesRequest): Effect[] {
  const { owner, own, wanted, labels, annotations, areAnnotationsCompared = false } = request;
  const { name, namespace } = owner.metadata;
  const unused = own.toSorted(byName);
  const effects: Effect[] = [];
  const take = (isFit: (slice: KubeObject) => boolean): KubeObject | undefined => {
    const index = unused.findIndex(isFit);
    return index < 0 ? undefined : unused.splice(index, 1)[0];
  };
  for (const one of wanted) {
    const isOfType = (slice: KubeObject): boolean => slice['addressType'] === one.addressType;
    const there =
      take((slice) => isOfType(slice) && same(slice['ports'] ?? [], one.ports)) ?? take(isOfType);
    if (there === undefined) {
      const metadata = {
        generateName: `${name}-`,
        ...(namespace === undefined ? {} : { namespace }),
        labels,
        annotations,
        ownerReferences: [ownerReference(owner)],
      };
      const object = { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata, ...one };
      effects.push({ kind: 'create', resource: endpointSlices, object, isExpected: true });
      continue;
    }
    const all = { ...there.metadata.annotations, ...annotations };
    const isRight =
      same(there['ports'] ?? [], one.ports) &&
      same(there['endpoints'] ?? [], one.endpoints) &&
      same(there.metadata.labels, labels) &&
      (!areAnnotationsCompared || same(there.metadata.annotations ?? {}, all));
    if (isRight) continue;
    const object = { ...there, ...one, metadata: { ...there.metadata, labels, annotations: all } };
    effects.push({ kind: 'update', resource: endpointSlices, object });
  }
  for (const object of unused) effects.push({ kind: 'delete', resource: endpointSlices, object });
  return effects;
}
