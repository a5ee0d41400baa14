// How a long-running part (master, agent, kube …) starts, says that it is ready, and stops.
import { errorChain } from '#base/fault.ts';
import type { Env } from '#env/env.ts';
import { onSigusr1 } from './early-signals.ts';
import { collectWhenIdle, smallPartStarted } from './lean-heap.ts';

export interface RunningPart {
  readonly url: string;
  /** `killTasks`: the part was asked to end what it runs, too (SIGUSR1, as Mesos agents take it). */
  close(options?: { killTasks: boolean }): Promise<void>;
  /** Resolves when the part ended by itself, to its exit status if that is not 0. */
  readonly ended?: Promise<number | void> | undefined;
}

export interface PartOptions {
  /** Started by a supervisor: ready is announced on standard output, closed standard input ends it. */
  readonly supervised: boolean;
  readonly readyLine: (part: RunningPart) => string;
  /** Its program has begun with `startSmallPart`. */
  readonly isSmall?: boolean | undefined;
}

/** Runs until a signal, the end of the leash, or its own end; resolves to the exit status. */
export async function servePart(
  start: () => Promise<RunningPart>,
  options: PartOptions,
  env: Env,
): Promise<number> {
  const stopped = Promise.withResolvers<{ killTasks: boolean }>();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => stopped.resolve({ killTasks: false }));
  }
  onSigusr1(() => stopped.resolve({ killTasks: true }));
  if (options.supervised) {
    process.stdin.on('end', () => stopped.resolve({ killTasks: false }));
    process.stdin.on('error', () => stopped.resolve({ killTasks: false }));
    process.stdin.resume();
  }
  process.stdout.on('error', () => {});
  let part: RunningPart;
  try {
    part = await start();
  } catch (error) {
    process.stderr.write(`strata: ${errorChain(error)}\n`);
    env.log.debug('Start failed', { error });
    return 1;
  }
  if (options.isSmall === true) smallPartStarted();
  if (options.supervised) {
    process.stdout.write(`${JSON.stringify({ ready: true, url: part.url })}\n`);
  } else {
    process.stdout.write(`${options.readyLine(part)}\n`);
  }
  const collection = options.isSmall === true ? undefined : collectWhenIdle(env.timers);
  const ended = part.ended?.then((status) => ({ killTasks: false, status }));
  const how = await Promise.race([stopped.promise, ...(ended === undefined ? [] : [ended])]);
  collection?.cancel();
  await part.close(how);
  return ('status' in how && how.status) || 0;
}
