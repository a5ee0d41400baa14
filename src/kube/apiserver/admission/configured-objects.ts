// The webhooks and policies that take part: those of files before those of the API. Configurations of admission are
// judged by files alone, so that what the API has can always be mended.
import type { ObjectCache } from '#kube/apiserver/object-cache.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import type { StaticManifests } from './static-manifests.ts';

export class ConfiguredObjects {
  readonly #cache: Pick<ObjectCache, 'all'>;
  readonly #files: StaticManifests | undefined;

  constructor(cache: Pick<ObjectCache, 'all'>, files?: StaticManifests) {
    this.#cache = cache;
    this.#files = files;
  }

  /** In the order in which they are asked. `isExempt`: of the API's nobody is asked. */
  all(resource: string, isExempt = false): readonly KubeObject[] {
    const own = this.#files?.all(resource) ?? [];
    if (isExempt) return own;
    const others = this.#cache.all(resource);
    return own.length === 0 ? others : [...own, ...others];
  }

  /** Those of a policy; neither files nor the API bind what the other has. */
  bindings(resource: string, policy: KubeObject): readonly KubeObject[] {
    const isOfFiles = this.#files?.has(policy) === true;
    const all = isOfFiles ? (this.#files?.all(resource) ?? []) : this.#cache.all(resource);
    return all.filter(
      ({ spec }) => (spec as { policyName?: string }).policyName === policy.metadata.name,
    );
  }
}
