// Groups of shared volumes: one each, kept over restarts, and back with who owns the sandbox. As root.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { systemDisk } from '#env/node/disk.ts';
import { silentLog } from '#env/node/log.ts';
import { VolumeGids } from './volume-gids.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';
const range = [{ begin: 61_000, end: 61_001 }];

function machine(t: TestContext) {
  const work = mkdtempSync(join(tmpdir(), 'strata-gids-'));
  t.after(() => rmSync(work, { recursive: true, force: true }));
  const folder = (...parts: readonly string[]): string => {
    const path = join(work, ...parts);
    mkdirSync(path, { recursive: true });
    return path;
  };
  const gids = () => new VolumeGids(range, join(work, 'meta/gids'), systemDisk, silentLog);
  return { folder, gids };
}
const looks = (path: string): string => {
  const { gid, mode } = statSync(path);
  return `${gid} ${(mode & 0o7777).toString(8)}`;
};

suite('groups of volumes', { skip }, () => {
  test('a volume has one of the range, with all that is in it, and never what a link leads to', async (t) => {
    const { folder, gids } = machine(t);
    const [volume, other, outside] = [folder('v'), folder('w'), folder('outside')];
    writeFileSync(join(folder('v/below'), 'file'), '');
    symlinkSync(outside, join(volume, 'link'));
    const made = gids();
    await made.recover(() => true);
    const both = [made.allocate(volume, 'PERSISTENT'), made.allocate(volume, 'PERSISTENT')];
    assert.deepEqual(await Promise.all(both), [61_000, 61_000]);
    assert.equal(looks(volume), '61000 2775');
    assert.equal(looks(join(volume, 'below')), '61000 2775');
    assert.equal(looks(join(volume, 'below/file')), '61000 644');
    assert.equal(looks(outside), '0 755');
    assert.equal(await made.allocate(other, 'PERSISTENT'), 61_001);
    assert.deepEqual([made.total, made.free], [2, 0]);
    const third = folder('x');
    await assert.rejects(made.allocate(third, 'PERSISTENT'), /the free gid range is exhausted/);
    rmSync(other, { recursive: true });
    assert.equal(await made.allocate(third, 'PERSISTENT'), 61_001, 'that of one that is gone');
  });

  test('a next life knows them, and takes back those of sandboxes whose containers are gone', async (t) => {
    const { folder, gids } = machine(t);
    const [volume, shared] = [folder('v'), folder('sandbox/shared')];
    const first = gids();
    await first.allocate(volume, 'PERSISTENT');
    await first.allocate(shared, 'SANDBOX_PATH');
    const again = gids();
    await again.recover(() => true);
    assert.equal(again.free, 0);
    assert.equal(await again.allocate(volume, 'PERSISTENT'), 61_000);
    const later = gids();
    await later.recover(() => false);
    assert.equal(later.free, 1);
    assert.deepEqual([looks(volume), looks(shared)], ['61000 2775', '0 755']);
  });

  test('with its container a volume in a sandbox goes back to its owner', async (t) => {
    const { folder, gids } = machine(t);
    const [volume, shared] = [folder('v'), folder('sandbox/shared')];
    const made = gids();
    await made.allocate(volume, 'PERSISTENT');
    await made.allocate(shared, 'SANDBOX_PATH');
    await made.ended(join(shared, '..'));
    assert.deepEqual([looks(volume), looks(shared), made.free], ['61000 2775', '0 755', 1]);
  });
});
