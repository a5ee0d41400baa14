// Proves the store by histories: `node tools/prove-store.ts [--embedded 200] [--etcd 60] [--seed 1]`. The
// embedded store is killed (-9) and paused, an etcd of three members in network namespaces is killed,
// paused, cut off and parted (as root), under clients that write and watch; each history is judged by
// test/support/store-history/checker.ts. Prints one line for docs/operating/store.md and fails on a problem;
// the history it was found in is kept in a file.
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { run } from '#test/support/cluster.ts';
import { findEtcd } from '#test/support/etcd.ts';
import { embeddedRounds } from '#test/support/store-history/embedded-rounds.ts';
import { namespacesMissing } from '#test/support/store-history/etcd-namespaces.ts';
import { etcdRounds } from '#test/support/store-history/etcd-rounds.ts';
import type { RoundsOptions, RoundsResult } from '#test/support/store-history/rounds.ts';

const { values } = parseArgs({
  options: {
    embedded: { type: 'string', default: '200' },
    etcd: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
  },
});
const seed = Number(values.seed);

function show(engine: string, startedAt: number, result: RoundsResult): void {
  const { rounds, operations, unknown, revisions, problems } = result;
  const seconds = Math.round((performance.now() - startedAt) / 1_000);
  const day = new Date().toISOString().slice(0, 10);
  const cells = [
    day,
    engine,
    rounds,
    seed,
    operations,
    revisions,
    unknown,
    problems.length,
    seconds,
  ];
  process.stdout.write(`| ${cells.join(' | ')} |\n`);
  for (const one of problems.slice(0, 20)) process.stdout.write(`  ${one}\n`);
  if (problems.length === 0) return;
  process.exitCode = 1;
  const kept = join(mkdtempSync(join(tmpdir(), 'strata-history-')), 'history.json');
  writeFileSync(kept, JSON.stringify(result.history, readable));
  process.stdout.write(`  the history: ${kept}\n`);
}

function readable(_name: string, value: unknown): unknown {
  if (value instanceof Map || value instanceof Set) return [...value];
  // What a buffer makes of itself for JSON.
  if (typeof value !== 'object' || value === null || !('type' in value)) return value;
  return value.type === 'Buffer' && 'data' in value ? text(value.data) : value;
}

const text = (data: unknown): string => Buffer.from(data as number[]).toString();

/** `etcd 3.4.23` */
async function versionOf(binary: string): Promise<string> {
  const { stdout } = await run([binary, '--version']);
  return `etcd ${/etcd Version: (\S+)/.exec(stdout)?.[1] ?? ''}`;
}

/** Runs them, saying on standard error how far they are, and prints what was found. */
async function prove(
  engine: string,
  rounds: number,
  play: (options: RoundsOptions) => Promise<RoundsResult>,
): Promise<void> {
  const startedAt = performance.now();
  const onRound = (round: number, fault: string): void =>
    void process.stderr.write(`\r${`${engine}: round ${round}, ${fault}`.padEnd(50)}`);
  show(engine, startedAt, await play({ rounds, seed, onRound }));
}

if (Number(values.embedded) > 0) await prove('embedded', Number(values.embedded), embeddedRounds);
if (Number(values.etcd) > 0) {
  const found = findEtcd();
  const missing = found.ok ? await namespacesMissing() : found.reason;
  if (missing !== undefined || !found.ok) {
    process.stdout.write(`etcd: not run: ${missing}\n`);
  } else {
    const engine = `${await versionOf(found.path)}, 3 members`;
    await prove(engine, Number(values.etcd), (options) => etcdRounds(found.path, options));
  }
}
process.exit();
