// Resources by group and name, whatever their version: what admission asks several times for each write, so that
// the whole registry is looked through once only.
import type { ResourceInfo, ResourceRegistry } from '#kube/meta/resource-info.ts';

export class ResourceNames {
  readonly #registry: ResourceRegistry;
  #of: readonly ResourceInfo[] = [];
  readonly #found = new Map<string, ResourceInfo | undefined>();

  constructor(registry: ResourceRegistry) {
    this.#registry = registry;
  }

  /** Its first version. */
  find(group: string, resource: string): ResourceInfo | undefined {
    const all = this.#registry.all();
    if (all !== this.#of) {
      this.#found.clear();
      this.#of = all;
    }
    const key = `${group}/${resource}`;
    if (!this.#found.has(key)) {
      const isIt = (one: ResourceInfo): boolean => one.group === group && one.resource === resource;
      this.#found.set(key, all.find(isIt));
    }
    return this.#found.get(key);
  }
}
