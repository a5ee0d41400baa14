// What rounds of any engine have in common: clients that write until they are stopped, and the judgement of
// the whole history.
import { problemsOf, type History } from './checker.ts';
import { randomOf, type Recorder, step } from './workload.ts';

export interface RoundsOptions {
  readonly rounds: number;
  readonly seed: number;
  readonly onRound?: (round: number, fault: string) => void;
}

export interface RoundsResult {
  readonly rounds: number;
  readonly operations: number;
  readonly unknown: number;
  readonly revisions: number;
  readonly problems: readonly string[];
  /** What the problems were found in. */
  readonly history: History;
}

interface Worker {
  readonly name: string;
  readonly seed: number;
  readonly store: Parameters<typeof step>[1];
}

/** Each does one thing after the other, until what is returned is called and resolves. */
export function working(recorder: Recorder, workers: readonly Worker[]): () => Promise<void> {
  let isOver = false;
  const clients = workers.map(async ({ name, seed, store }) => {
    const own = randomOf(seed);
    while (!isOver) await step(recorder, store, name, own);
  });
  return async () => {
    isOver = true;
    await Promise.all(clients);
  };
}

/** `more`: problems that the history alone does not show. */
export function judged(
  rounds: number,
  history: History,
  more: readonly string[] = [],
): RoundsResult {
  const unknown = history.ops.filter((op) => op.kind === 'txn' && op.result === undefined);
  return {
    rounds,
    operations: history.ops.length,
    unknown: unknown.length,
    revisions: history.log.length,
    problems: [...problemsOf(history), ...more],
    history,
  };
}
