// Strata's master as a process of its own, for those who try to break it.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '#test/support/free-port.ts';
import { eventually, root } from '#test/support/cluster.ts';
import type { Target } from './fuzzer.ts';

const LOG_CHARS_MAX = 1_000_000;

export interface FuzzedMaster extends Target {
  close(): Promise<void>;
}

export async function startFuzzedMaster(): Promise<FuzzedMaster> {
  const home = mkdtempSync(join(tmpdir(), 'strata-fuzz-'));
  const port = await freePort();
  const options = ['master', '--home', home, '--port', String(port)];
  const child = spawn(process.execPath, [join(root, 'src/bin/strata.ts'), ...options], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => {
    log = (log + chunk.toString()).slice(-LOG_CHARS_MAX);
  });
  const gone = new Promise<void>((done) => child.once('exit', () => done()));
  const isRunning = (): boolean => child.exitCode === null && child.signalCode === null;
  await eventually('the master answers', async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/health`).catch(() => undefined);
    return answer?.status === 200 ? true : undefined;
  });
  return {
    port,
    pid: child.pid ?? 0,
    isRunning,
    log: () => log,
    async close() {
      if (isRunning()) child.kill('SIGKILL');
      await gone;
      rmSync(home, { recursive: true, force: true });
    },
  };
}
