// Projects of folders: given once, found again by the next life, and free when the folders are gone.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { silentLog } from '#env/node/log.ts';
import { SimClock } from '#env/sim/clock.ts';
import { SimRandom } from '#env/sim/random.ts';
import type { ProjectKernel } from './project-kernel.ts';
import { ProjectQuotas, type QuotaPolicy } from './project-quotas.ts';

let work: string;
before(() => (work = mkdtempSync(join(tmpdir(), 'strata-projects-'))));
after(() => rmSync(work, { recursive: true, force: true }));

/** What folders and projects have, as a kernel would keep it. */
class Memory implements ProjectKernel {
  readonly ids = new Map<string, number>();
  readonly bounds = new Map<number, string>();
  async projectsOf(paths: readonly string[]) {
    return paths.map((path) => this.ids.get(path) ?? 0);
  }
  async assign(path: string, project: number) {
    this.ids.set(path, project);
  }
  async bound(_device: string, project: number, soft: number, hard: number) {
    this.bounds.set(project, `${soft}/${hard}`);
  }
  async usage() {
    return { usedBytes: 0, softBytes: 0, hardBytes: 0 };
  }
  deviceOf(path: string) {
    if (path.includes('ext4')) throw new Error(`'${path}' is not an XFS filesystem`);
    return '/dev/x';
  }
}

function folder(...parts: readonly string[]): string {
  const path = join(work, ...parts);
  mkdirSync(path, { recursive: true });
  return path;
}
const run = (name: string): string => folder('slaves/S/frameworks/F/executors/E/runs', name);

function quotas(kernel: ProjectKernel, policy: QuotaPolicy = 'refuse'): ProjectQuotas {
  const ids = [
    { begin: 5000, end: 5001 },
    { begin: 6000, end: 6000 },
  ];
  const options = { ids, policy, headroomBytes: 10, reclaimMs: 60_000, workFolder: work };
  const clock = new SimClock();
  const env = { clock, timers: clock, random: new SimRandom(1), log: silentLog };
  return new ProjectQuotas(options, kernel, env);
}

test('each folder has an id of its own, which comes back when the folder is gone', async () => {
  const kernel = new Memory();
  const made = quotas(kernel);
  const [a, b, volume] = [run('a'), run('b'), folder('volumes/roles/r s/v')];
  await Promise.all([made.give(a, 100), made.give(b, undefined), made.give(volume, 7)]);
  await made.give(a, 200);
  assert.deepEqual(
    [...kernel.ids],
    [
      [a, 5000],
      [b, 5001],
      [volume, 6000],
    ],
  );
  assert.deepEqual(
    [...kernel.bounds],
    [
      [5000, '200/200'],
      [5001, '0/0'],
      [6000, '7/7'],
    ],
  );
  assert.deepEqual([made.total, made.free], [3, 0]);
  const [c, upper] = [run('c'), folder('run/containers/a/roots/x/upper')];
  await assert.rejects(made.give(c, 1), /Failed to assign project ID, range exhausted/);
  await made.share(a, upper);
  rmSync(a, { recursive: true });
  await assert.rejects(made.give(c, 1), /range exhausted/, 'its upper layer is there still');
  rmSync(upper, { recursive: true });
  await made.give(c, 1);
  assert.equal(kernel.ids.get(c), 5000);
  assert.equal(kernel.bounds.get(5000), '1/1');
  await assert.rejects(made.give(folder('ext4'), 1), /is not an XFS filesystem/);
});

test('a next life knows what was given, and nothing by a link', async () => {
  const kernel = new Memory();
  const [kept, lost] = [run('kept'), run('lost')];
  kernel.ids.set(kept, 5001).set(lost, 9999);
  const latest = join(work, 'slaves/S/frameworks/F/executors/E/runs/latest');
  symlinkSync('kept', latest);
  kernel.ids.set(latest, 5000);
  const made = quotas(kernel, 'kill');
  await made.recover();
  assert.deepEqual([made.total, made.free], [3, 2], 'one out of another range does not count');
  await made.give(kept, 100);
  assert.equal(kernel.bounds.get(5001), '100/110');
  rmSync(kept, { recursive: true });
  await made.reclaim();
  assert.equal(made.free, 3);
  assert.equal(kernel.bounds.get(5001), '0/0');
  made.close();
});

test('who only counts bounds nothing', async () => {
  const kernel = new Memory();
  const d = run('d');
  await quotas(kernel, 'account').give(d, 100);
  assert.deepEqual([...kernel.bounds], [[5000, '0/0']]);
});
