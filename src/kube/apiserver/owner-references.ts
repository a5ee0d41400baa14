// Owners that an object names twice are kept once, and the client is told (kube-apiserver v1.37, handlers/rest.go).
import { same } from '#base/same.ts';
import type { KubeObject } from '#kube/meta/object.ts';

/** Changes the object in place. `isMutated`: after those who may change it have had it. */
export function dropTwiceOwned(
  { metadata }: KubeObject,
  warnings: string[],
  { isMutated }: { readonly isMutated: boolean },
): void {
  const all = metadata.ownerReferences;
  if (all === undefined || all.length < 2) return;
  const kept = all.filter((one, index) => !all.slice(0, index).some((other) => same(one, other)));
  if (kept.length === all.length) return;
  const twice = all.filter((one) => !kept.includes(one)).map(({ uid }) => uid);
  const when = isMutated ? ' after mutating admission happens' : '';
  const what = `.metadata.ownerReferences contains duplicate entries${when}`;
  const rule =
    'API server dedups owner references in 1.20+, and may reject such requests as early as 1.24';
  const found = `duplicate UID(s) observed: ${twice.join(', ')}`;
  warnings.push(`${what}; ${rule}; please fix your requests; ${found}`);
  metadata.ownerReferences = kept;
}
