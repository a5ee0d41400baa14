// Rounds in which the embedded store is killed or paused while clients write: after each it opens again, and
// after all of them the whole history is judged.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { changeOf, problemsOf, type Change, type History } from './checker.ts';
import { EmbeddedClient } from './embedded-client.ts';
import { everything, randomOf, Recorder, step, WatchLog } from './workload.ts';

const CLIENTS = 8;

export interface RoundsResult {
  readonly rounds: number;
  readonly operations: number;
  readonly unknown: number;
  readonly revisions: number;
  readonly problems: readonly string[];
  /** What the problems were found in. */
  readonly history: History;
}

export async function embeddedRounds(options: {
  readonly rounds: number;
  readonly seed: number;
  readonly onRound?: (round: number) => void;
}): Promise<RoundsResult> {
  const { rounds, seed, onRound } = options;
  const folder = mkdtempSync(join(tmpdir(), 'strata-rounds-'));
  const path = join(folder, 'store.db');
  const random = randomOf(seed);
  const recorder = new Recorder();
  let client = await EmbeddedClient.start(path);
  const { revision } = await client.range({ ...everything, limit: 1 });
  const watches = [0, 1].map((i) => new WatchLog(`watch ${i}`, revision + 1));
  const follow = async (): Promise<void> => {
    for (const one of watches) await client.watch({ ...everything, from: one.next }, one.onEvents);
  };
  try {
    await follow();
    for (let round = 1; round <= rounds; round++) {
      onRound?.(round);
      let isOver = false;
      const clients = Array.from({ length: CLIENTS }, async (_, i) => {
        const own = randomOf(seed * 1_000 + round * CLIENTS + i);
        while (!isOver) await step(recorder, client, `c${i}`, own);
      });
      await delay(20 + random() * 180);
      if (random() < 0.2) {
        await client.signal('SIGSTOP');
        await delay(20 + random() * 100);
        await client.signal('SIGCONT');
        await delay(random() * 50);
      }
      const killed = client.signal('SIGKILL');
      isOver = true;
      await killed;
      await Promise.all(clients);
      client = await EmbeddedClient.start(path);
      await follow();
    }
    const log = await wholeLog(client, revision + 1);
    const history = { ops: recorder.ops, watches: watches.map((one) => one.record()), log };
    const problems = problemsOf(history);
    const unknown = recorder.ops.filter((op) => op.kind === 'txn' && op.result === undefined);
    return {
      rounds,
      operations: recorder.ops.length,
      unknown: unknown.length,
      revisions: log.length,
      problems,
      history,
    };
  } finally {
    await client.signal('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The store's own history: a watch from the beginning tells it within the call. */
async function wholeLog(client: EmbeddedClient, from: number): Promise<Change[]> {
  const log: Change[] = [];
  await client.watch({ ...everything, from }, (events, revision) =>
    log.push(changeOf(events, revision)),
  );
  return log;
}
