// Forgets history: every five minutes what is older than the last time (as kube-apiserver does).
import type { Env, Timer } from '#env/env.ts';
import type { Store } from '#store/store.ts';

const INTERVAL_MS = 300_000;

export function startCompaction(store: Store, env: Env): { close(): void } {
  let previous = store.revision();
  let timer: Timer;
  const run = (): void => {
    const at = previous;
    previous = store.revision();
    void store
      .compact(at)
      .catch((error: unknown) => env.log.error('Cannot compact the store', { error }));
    timer = env.timers.after(INTERVAL_MS, run);
  };
  timer = env.timers.after(INTERVAL_MS, run);
  return { close: () => timer.cancel() };
}
