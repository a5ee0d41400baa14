// Rounds in which members of an etcd of three are killed, paused, cut off from everybody or from each other
// while clients write through two stores, as two API servers would; then the whole history is judged.
import { setTimeout as delay } from 'node:timers/promises';
import { createEnv } from '#env/node/env.ts';
import { EtcdClient } from '#store/etcd-client.ts';
import { openEtcdStore } from '#store/etcd-store.ts';
import type { Store } from '#store/store.ts';
import { problemsOf, type Change } from './checker.ts';
import type { RoundsResult } from './embedded-rounds.ts';
import { EtcdNamespaces } from './etcd-namespaces.ts';
import { everything, randomOf, Recorder, step, WatchLog } from './workload.ts';

const CLIENTS = 4;
const FAULTS = ['kill', 'pause', 'isolate', 'part'] as const;

export async function etcdRounds(
  binary: string,
  options: {
    readonly rounds: number;
    readonly seed: number;
    readonly onRound?: (round: number, fault: string) => void;
  },
): Promise<RoundsResult> {
  const { rounds, seed, onRound } = options;
  const env = createEnv({ component: 'rounds', logLevel: 'error', logFormat: 'text' });
  await using cluster = await EtcdNamespaces.start(binary);
  const { endpoints } = cluster;
  const stores = [await openEtcdStore({ endpoints }, env), await openEtcdStore({ endpoints }, env)];
  const recorder = new Recorder();
  const random = randomOf(seed);
  const from = Math.max(...stores.map((store) => store.revision())) + 1;
  const watches = stores.map((store, i) => {
    const log = new WatchLog(`watch ${i}`, from);
    const watcher = { onEvents: log.onEvents, onEnd: () => {} };
    store.watch({ ...everything, startRevision: from }, watcher);
    return log;
  });
  try {
    for (let round = 1; round <= rounds; round++) {
      const fault = FAULTS[Math.floor(random() * FAULTS.length)] ?? 'kill';
      onRound?.(round, fault);
      let isOver = false;
      const clients = stores.flatMap((store, s) =>
        Array.from({ length: CLIENTS }, async (_, i) => {
          const own = randomOf(seed * 1_000 + round * 8 + s * CLIENTS + i);
          while (!isOver) await step(recorder, store, `s${s}c${i}`, own);
        }),
      );
      await delay(50 + random() * 150);
      await disturb(cluster, fault, random);
      await delay(50);
      isOver = true;
      await Promise.all(clients);
    }
    await cluster.ready();
    const client = new EtcdClient({ endpoints });
    const log = await wholeLog(client, from, await settled(stores));
    client.close();
    const records = watches.map((one) => one.record());
    const problems = problemsOf({ ops: recorder.ops, watches: records, log });
    for (const { name, changes } of records) {
      const [last, newest] = [changes.at(-1)?.revision, log.at(-1)?.revision];
      if (last !== newest) problems.push(`${name} stands at ${last}, the store at ${newest}`);
    }
    const unknown = recorder.ops.filter((op) => op.kind === 'txn' && op.result === undefined);
    return {
      rounds,
      operations: recorder.ops.length,
      unknown: unknown.length,
      revisions: log.length,
      problems,
    };
  } finally {
    for (const store of stores) await store[Symbol.asyncDispose]();
  }
}

/** One member is disturbed and then well again. */
async function disturb(
  cluster: EtcdNamespaces,
  fault: (typeof FAULTS)[number],
  random: () => number,
): Promise<void> {
  const member = cluster.members[Math.floor(random() * cluster.members.length)];
  if (member === undefined) return;
  // Longer than an election.
  const lasts = (): Promise<void> => delay(700 + random() * 800);
  switch (fault) {
    case 'kill':
      await cluster.kill(member);
      await lasts();
      cluster.launch(member);
      break;
    case 'pause':
      cluster.pause(member, true);
      await lasts();
      cluster.pause(member, false);
      break;
    case 'isolate':
      await cluster.isolate(member, true);
      await lasts();
      await cluster.isolate(member, false);
      break;
    case 'part':
      await cluster.part(member, true);
      await lasts();
      await cluster.part(member, false);
      break;
  }
  await cluster.ready();
}

/** Every store has seen what every other has. */
async function settled(stores: readonly Store[]): Promise<number> {
  const revisions = await Promise.all(stores.map((store) => store.current()));
  const newest = Math.max(...revisions);
  await Promise.all(stores.map((store) => store.current()));
  return newest;
}

const bytes = (text: string): Uint8Array => Buffer.from(text);
const text = (value: Uint8Array): string => Buffer.from(value).toString();

/** As etcd itself tells it, not through the stores that are judged. */
async function wholeLog(client: EtcdClient, from: number, to: number): Promise<Change[]> {
  const log: Change[] = [];
  const byRevision = new Map<number, Map<string, string | undefined>>();
  if (to < from) return log;
  const stream = client.watch();
  const create = {
    key: bytes('/'),
    rangeEnd: bytes('0'),
    startRevision: from,
    progressNotify: false,
  };
  await new Promise<void>((done, fail) => {
    stream.on('error', fail);
    stream.on('data', ({ events = [] }) => {
      for (const { type, kv } of events) {
        if (kv === undefined) continue;
        const { modRevision: revision = 0, value = new Uint8Array() } = kv;
        let values = byRevision.get(revision);
        if (values === undefined) {
          values = new Map();
          byRevision.set(revision, values);
          log.push({ revision, values });
        }
        values.set(text(kv.key), type === DELETE ? undefined : text(value));
      }
      if ((log.at(-1)?.revision ?? 0) >= to) done();
    });
    stream.write({ create });
  });
  stream.removeAllListeners('error');
  stream.on('error', () => {});
  stream.cancel();
  return log;
}

const DELETE = 1;
