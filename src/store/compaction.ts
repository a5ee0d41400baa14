// Forgets history: every five minutes what is older than the last time, as kube-apiserver does. Whoever keeps
// a store open does this; without it each write would stay in memory and on disk for ever.
import type { Env, Timer } from '#env/env.ts';
import type { Store } from './store.ts';

export const COMPACTION_INTERVAL_MS = 300_000;

export function startCompaction(store: Store, env: Pick<Env, 'timers' | 'log'>): { close(): void } {
  let previous = store.revision();
  let timer: Timer;
  const run = (): void => {
    const at = previous;
    previous = store.revision();
    void store
      .compact(at)
      .catch((error: unknown) => env.log.error('Cannot compact the store', { error }));
    timer = env.timers.after(COMPACTION_INTERVAL_MS, run);
  };
  timer = env.timers.after(COMPACTION_INTERVAL_MS, run);
  return { close: () => timer.cancel() };
}
