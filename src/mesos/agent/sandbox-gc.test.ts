// Which sandboxes go when, on real folders and told time.
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { systemDisk } from '#env/node/disk.ts';
import { SimClock } from '#env/sim/clock.ts';
import { SimRandom } from '#env/sim/random.ts';
import { AgentPaths } from './paths.ts';
import { allowedAgeMs, SandboxGc } from './sandbox-gc.ts';

const HOUR_MS = 3_600_000;

for (const [used, hours] of [
  [0, 90],
  [0.4, 50],
  [0.9, 0],
  [1, 0],
] as const) {
  test(`of 100 hours, with a tenth to stay free and ${used * 100} % used, ${hours} are left`, () => {
    const age = allowedAgeMs({ delayMs: 100 * HOUR_MS, headroom: 0.1 }, used);
    assert.equal(Math.round(age / HOUR_MS), hours);
  });
}

class Machine {
  readonly folder: string;
  readonly paths: AgentPaths;
  readonly clock = new SimClock();
  readonly gc: SandboxGc;

  constructor(t: TestContext) {
    this.folder = mkdtempSync(join(tmpdir(), 'strata-gc-'));
    this.paths = new AgentPaths(this.folder);
    const log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
    const { clock } = this;
    const env = { clock, timers: clock, random: new SimRandom(1), log };
    const options = { paths: this.paths, delayMs: 10 * HOUR_MS, headroom: 0, watchMs: 60_000 };
    this.gc = new SandboxGc(options, systemDisk, env);
    t.after(async () => {
      await this.gc.close();
      rmSync(this.folder, { recursive: true, force: true });
    });
  }

  sandbox(executorId: string, containerId: string, frameworkId = 'f', agentId = 'a'): string {
    const key = { frameworkId, executorId };
    const path = this.paths.sandbox(agentId, key, containerId);
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, 'stdout'), 'x');
    rmSync(join(path, '../latest'), { force: true });
    symlinkSync(containerId, join(path, '../latest'));
    return path;
  }
}

test('an ended sandbox goes when its time is over, and with it what it leaves empty', async (t) => {
  const machine = new Machine(t);
  const { gc, clock } = machine;
  const [one, two] = [machine.sandbox('e1', 'c1'), machine.sandbox('e2', 'c2')];
  gc.ended(one);
  clock.advance(2 * HOUR_MS);
  gc.ended(two);
  clock.advance(3.5 * HOUR_MS);
  await gc.collect(0.5);
  assert.ok(!existsSync(one) && existsSync(two));
  assert.ok(!existsSync(join(one, '../../..', 'e1')));
  assert.ok(existsSync(join(two, '../../../..')));
  assert.deepEqual([gc.pending, gc.removed, gc.failed], [1, 1, 0]);
  await gc.collect(1);
  assert.ok(!existsSync(join(machine.folder, 'slaves/a/frameworks/f')));
  assert.ok(existsSync(join(machine.folder, 'slaves/a')));
});

test('the next run of an executor keeps its folder', async (t) => {
  const machine = new Machine(t);
  const [old, next] = [machine.sandbox('e', 'c1'), machine.sandbox('e', 'c2')];
  machine.gc.ended(old);
  await machine.gc.collect(1);
  assert.ok(!existsSync(old) && existsSync(next));
  assert.ok(existsSync(join(next, '../latest')));
});

test('after a restart what does not live is due by its age, earlier agents as a whole', async (t) => {
  const machine = new Machine(t);
  const { gc, clock, folder } = machine;
  clock.advance(100 * HOUR_MS);
  const [live, old, young] = ['c1', 'c2', 'c3'].map((id) => machine.sandbox('e', id));
  machine.sandbox('e', 'c', 'f', 'earlier');
  const at = (path: string, hoursAgo: number): void => {
    const seconds = (clock.now() - hoursAgo * HOUR_MS) / 1_000;
    utimesSync(path, seconds, seconds);
  };
  at(live ?? '', 90);
  at(old ?? '', 90);
  at(young ?? '', 1);
  at(join(folder, 'slaves/earlier'), 90);
  await gc.recover('a', (path) => path === live);
  await gc.collect(0);
  assert.ok(existsSync(live ?? '') && existsSync(young ?? ''));
  assert.ok(!existsSync(old ?? ''));
  assert.ok(!existsSync(join(folder, 'slaves/earlier')));
});
