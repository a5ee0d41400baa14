// Kinds that are no resources of their own (Binding, Eviction, TokenRequest, Scale): seen as one, for
// decoding, defaults, patches and the owners of their fields.
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { schemaOfKind } from '#kube/types/registry.ts';

const known = new Map<string, ResourceInfo>();

export function kindAlone(
  group: string,
  version: string,
  kind: string,
  verbs: readonly string[] = ['create'],
): ResourceInfo {
  const id = `${group}/${version}/${kind}`;
  let info = known.get(id);
  if (info === undefined) {
    const singular = kind.toLowerCase();
    info = {
      group,
      version,
      resource: `${singular}s`,
      singular,
      kind,
      listKind: `${kind}List`,
      namespaced: true,
      verbs,
      shortNames: [],
      categories: [],
      subresources: [],
      storageVersion: version,
      get schema() {
        return schemaOfKind(group, version, kind) ?? { type: 'any' };
      },
      selectableFields: [],
    };
    known.set(id, info);
  }
  return info;
}
