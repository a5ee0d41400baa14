// The real adapters against the ports' conformance suites.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { clockConformance } from '#env/conformance/clock.ts';
import { diskConformance } from '#env/conformance/disk.ts';
import { systemClock, systemTimers } from './clock.ts';
import { systemDisk } from './disk.ts';

const folders: string[] = [];
after(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));

diskConformance('systemDisk', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'strata-disk-'));
  folders.push(folder);
  return { disk: systemDisk, folder };
});

clockConformance('system clock', () => ({
  clock: systemClock,
  timers: systemTimers,
  elapse: (ms) => new Promise((done) => systemTimers.after(ms, done)),
}));
