// Moves what an earlier Strata stored under keys of its own to the keys of kube-apiserver, once.
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { prefixEnd, type Store } from '#store/store.ts';
import { resourcePrefix } from './object-store.ts';

function earlierPrefix({ group, resource }: ResourceInfo): string {
  return group === '' ? `/registry/${resource}/` : `/registry/${resource}.${group}/`;
}

async function move(store: Store, info: ResourceInfo): Promise<void> {
  const [from, to] = [earlierPrefix(info), resourcePrefix(info)];
  if (from === to) return;
  const { items } = await store.range({ start: from, end: prefixEnd(from) });
  for (const { key, value, modRevision, unreadable } of items) {
    const rest = key.slice(from.length);
    // It would be written as if it were the value itself.
    if (unreadable !== undefined) continue;
    // The new prefix may lie below the old one.
    if (rest.split('/').length !== (info.namespaced ? 2 : 1)) continue;
    await store.txn({
      compare: [{ key, target: 'mod', equals: modRevision }],
      then: [
        { kind: 'put', key: `${to}${rest}`, value },
        { kind: 'delete', key },
      ],
    });
  }
}

/** Resolves when every object lies where it is looked for. */
export async function adoptEarlierKeys(
  store: Store,
  resources: readonly ResourceInfo[],
): Promise<void> {
  await Promise.all(resources.map((info) => move(store, info)));
}
