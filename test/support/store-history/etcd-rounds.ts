// Rounds in which members of an etcd of three are killed, paused, cut off from everybody or from each other
// while clients write through two stores, as two API servers would; then the whole history is judged.
import { setTimeout as delay } from 'node:timers/promises';
import { createEnv } from '#env/node/env.ts';
import { EtcdClient } from '#store/etcd-client.ts';
import { ETCD_MARK, openEtcdStore } from '#store/etcd-store.ts';
import type { Store } from '#store/store.ts';
import type { Change } from './checker.ts';
import { EtcdNamespaces } from './etcd-namespaces.ts';
import { judged, type RoundsOptions, type RoundsResult, working } from './rounds.ts';
import { everything, randomOf, Recorder, WatchLog } from './workload.ts';

const CLIENTS = 4;
/** At least, before a member is disturbed and after it is well again. */
const OPERATIONS = 30;
const FAULTS = ['kill', 'pause', 'isolate', 'part'] as const;

export async function etcdRounds(binary: string, options: RoundsOptions): Promise<RoundsResult> {
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
      const workers = stores.flatMap((store, s) =>
        Array.from({ length: CLIENTS }, (_, i) => {
          return { name: `s${s}c${i}`, seed: seed * 1_000 + round * 8 + s * CLIENTS + i, store };
        }),
      );
      const stop = working(recorder, workers);
      await busy(recorder);
      await delay(random() * 150);
      await disturb(cluster, fault, random);
      await busy(recorder);
      await stop();
    }
    await cluster.ready();
    const client = new EtcdClient({ endpoints });
    const { log, own } = await wholeLog(client, from, await settled(stores));
    client.close();
    const records = watches.map((one) => one.record());
    const behind = records.flatMap(({ name, changes }) => {
      const [last, newest] = [changes.at(-1)?.revision, log.at(-1)?.revision];
      return last === newest ? [] : [`${name} stands at ${last}, the store at ${newest}`];
    });
    return judged(rounds, { ops: recorder.ops, watches: records, log, own }, behind);
  } finally {
    for (const store of stores) await store[Symbol.asyncDispose]();
  }
}

/** Clients get something done, however slow the machine is. */
async function busy({ ops }: Recorder): Promise<void> {
  const enough = ops.length + OPERATIONS;
  while (ops.length < enough) await delay(5);
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

/** As etcd itself tells it, not through the stores that are judged; what they wrote for themselves apart. */
async function wholeLog(
  client: EtcdClient,
  from: number,
  to: number,
): Promise<{ log: Change[]; own: Set<number> }> {
  const byRevision = new Map<number, Map<string, string | undefined>>();
  const own = new Set<number>();
  const stream = client.watch();
  const create = {
    key: bytes('/'),
    rangeEnd: bytes('0'),
    startRevision: from,
    progressNotify: false,
  };
  await new Promise<void>((done, fail) => {
    if (to < from) return done();
    stream.on('error', fail);
    stream.on('data', ({ events = [] }) => {
      let newest = 0;
      for (const { type, kv } of events) {
        if (kv === undefined) continue;
        const { modRevision: revision = 0, value = new Uint8Array() } = kv;
        newest = revision;
        const key = text(kv.key);
        if (key === ETCD_MARK) own.add(revision);
        else {
          const values = byRevision.get(revision) ?? new Map<string, string | undefined>();
          byRevision.set(revision, values.set(key, type === DELETE ? undefined : text(value)));
        }
      }
      if (newest >= to) done();
    });
    stream.write({ create });
  });
  stream.removeAllListeners('error');
  stream.on('error', () => {});
  stream.cancel();
  return { log: [...byRevision].map(([revision, values]) => ({ revision, values })), own };
}

const DELETE = 1;
