// An agent that is asked to end with its tasks (SIGUSR1) while it still loads its code ends when it has
// started, and opens no debugger.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

const home = mkdtempSync(join(tmpdir(), 'strata-early-'));
after(() => rmSync(home, { recursive: true, force: true }));

/** Sends the signal to the process itself when the program is about to be loaded. */
const signalOnLoad = `import { registerHooks } from 'node:module';
registerHooks({
  load(url, context, next) {
    if (url.endsWith('/bin/program.ts')) process.kill(process.pid, 'SIGUSR1');
    return next(url, context);
  },
});`;

test('SIGUSR1 before anything is loaded', async () => {
  const hook = `data:text/javascript,${encodeURIComponent(signalOnLoad)}`;
  const entry = join(import.meta.dirname, 'strata.ts');
  const args = ['agent', '--master', '127.0.0.1:1', '--home', home, '--port', '0'];
  // A debugger would wait for ever.
  const limits = { timeout: 60_000, killSignal: 'SIGKILL' as const };
  const child = spawn(process.execPath, ['--import', hook, entry, ...args], limits);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  }
  const [status, signal] = await new Promise<[number | null, string | null]>((done) => {
    child.once('close', (...how) => done(how));
  });
  assert.deepEqual([status, signal], [0, null], said);
  assert.match(said, /agent: ready at /);
  assert.doesNotMatch(said, /Debugger|inspector/);
});
