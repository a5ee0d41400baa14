// Opens stores by their specification; what speaks to etcd is loaded only where there is one.
import type { Env } from '#env/env.ts';
import { openSqliteStore } from './sqlite-store.ts';
import type { StoreSpec } from './store-spec.ts';
import type { Store } from './store.ts';

export async function openStore(spec: StoreSpec, env: Pick<Env, 'timers' | 'log'>): Promise<Store> {
  if (spec.kind === 'sqlite') return await openSqliteStore(spec.path);
  const { openEtcdStore } = await import('./etcd-store.ts');
  return await openEtcdStore(spec, env);
}
