// Programs of devices: what the kernel makes of them, and what it is given for rules that are none.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { allowDevices, deviceProgram } from './device-program.ts';

/** Where version 2 is mounted; its programs of devices need no controller. */
const unified = readFileSync('/proc/self/mounts', 'utf8')
  .split('\n')
  .map((line) => line.split(' '))
  .find(([, , type]) => type === 'cgroup2')?.[1];
const isRoot = process.getuid?.() === 0;
const skip = isRoot && unified !== undefined ? false : 'needs root and cgroups of version 2';

test('with cgroups of version 2 only the named devices can be opened', { skip }, () => {
  const folder = join(unified ?? '', `strata-test-devices-${process.pid}`);
  mkdirSync(folder);
  try {
    allowDevices(folder, ['c *:* m', 'c 1:3 rwm', 'c 1:9 r']);
    const script = [
      `echo $$ >${folder}/cgroup.procs`,
      'echo x >/dev/null && echo null',
      'head -c 1 /dev/zero >/dev/null && echo zero',
      'head -c 1 /dev/urandom >/dev/null && echo urandom',
      '(echo x >/dev/urandom) && echo urandom-write',
      'true',
    ].join('\n');
    const { stdout, stderr } = spawnSync('sh', ['-c', script], { encoding: 'utf8' });
    assert.equal(stdout, 'null\nurandom\n', stderr);
    // Said again it is what counts, for more and for less.
    allowDevices(folder, ['c 1:3 rwm', 'c 1:5 rwm']);
    const again = spawnSync('sh', ['-c', script], { encoding: 'utf8' });
    assert.equal(again.stdout, 'null\nzero\n', again.stderr);
  } finally {
    rmdirSync(folder);
    assert.ok(!existsSync(folder));
  }
});

test('what is no rule is refused', () => {
  for (const rule of ['c 1:3', 'x 1:3 r', 'c 1 r', 'c 1:3 q', '']) {
    assert.throws(() => deviceProgram([rule]), /is no rule for devices/);
  }
});
