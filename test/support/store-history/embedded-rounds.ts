// Rounds in which the embedded store is killed or paused while clients write: after each it opens again, and
// after all of them the whole history is judged.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { changeOf, type Change } from './checker.ts';
import { EmbeddedClient } from './embedded-client.ts';
import { judged, type RoundsOptions, type RoundsResult, working } from './rounds.ts';
import { everything, randomOf, Recorder, WatchLog } from './workload.ts';

const CLIENTS = 8;

export async function embeddedRounds(options: RoundsOptions): Promise<RoundsResult> {
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
      onRound?.(round, 'kill');
      const workers = Array.from({ length: CLIENTS }, (_, i) => {
        return { name: `c${i}`, seed: seed * 1_000 + round * CLIENTS + i, store: client };
      });
      const stop = working(recorder, workers);
      await delay(20 + random() * 180);
      if (random() < 0.2) {
        await client.signal('SIGSTOP');
        await delay(20 + random() * 100);
        await client.signal('SIGCONT');
        await delay(random() * 50);
      }
      const killed = client.signal('SIGKILL');
      const stopped = stop();
      await killed;
      await stopped;
      client = await EmbeddedClient.start(path);
      await follow();
    }
    const log = await wholeLog(client, revision + 1);
    return judged(rounds, { ops: recorder.ops, watches: watches.map((one) => one.record()), log });
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
