// The soak, for twenty seconds: that its parts work and that what it looks for is not there at once. How long
// anything takes is for the long one on a quiet machine (docs/internals/soak.md).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { run } from '#test/support/cluster.ts';

test('a busy home loses nothing and tells every change once', { timeout: 300_000 }, async () => {
  const size = ['--minutes', '0.33', '--objects', '300', '--pods', '6', '--longest', '60000'];
  const soak = await run([process.execPath, 'tools/soak.ts', ...size], { timeoutMs: 280_000 });
  assert.equal(soak.status, 0, soak.stdout + soak.stderr);
  const cells = /^\| \d{4}-.* \|$/m.exec(soak.stdout)?.[0].split(' | ') ?? [];
  const [, , , objects, changes, , tasks] = cells;
  assert.equal(objects, '300');
  assert.ok(Number(changes) > 50 && Number(tasks) > 10, soak.stdout);
});
