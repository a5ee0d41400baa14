// `strata down`: stops the supervisor of a home and waits until it is gone.
import { Home, startTicksOf } from '#supervisor/home.ts';
import type { Env } from '#env/env.ts';

export async function down(
  options: { home: string; keepTasks: boolean },
  env: Env,
): Promise<number> {
  const home = new Home(options.home);
  const state = home.running();
  if (state === undefined) {
    process.stdout.write(`Nothing runs in ${options.home}\n`);
    return 0;
  }
  process.kill(state.pid, options.keepTasks ? 'SIGTERM' : 'SIGINT');
  // There is no event for the end of a process that is not a child; look until it is gone.
  const deadline = env.clock.now() + 90_000;
  while (startTicksOf(state.pid) === state.startTicks) {
    if (env.clock.now() > deadline) {
      process.stderr.write(`strata: the supervisor (pid ${state.pid}) does not stop\n`);
      return 1;
    }
    await new Promise<void>((done) => env.timers.after(50, done));
  }
  process.stdout.write(options.keepTasks ? 'Stopped; tasks go on\n' : 'Stopped\n');
  return 0;
}
