// Waits for the supervisor's state file to say what a command waits for; woken by the file system.
import { watch } from 'node:fs';
import type { Env } from '#env/env.ts';
import type { Home, SupervisorState } from '#supervisor/home.ts';

/** The state that fulfils `accept`, or undefined when the time is over. */
export async function waitForState(
  home: Home,
  accept: (state: SupervisorState) => boolean,
  timeoutMs: number,
  env: Env,
): Promise<SupervisorState | undefined> {
  const found = Promise.withResolvers<SupervisorState | undefined>();
  const look = (): void => {
    const state = home.lastState();
    if (state !== undefined && accept(state)) found.resolve(state);
  };
  const watcher = watch(home.path('run'), look);
  const timer = env.timers.after(timeoutMs, () => found.resolve(undefined));
  look();
  try {
    return await found.promise;
  } finally {
    timer.cancel();
    watcher.close();
  }
}
