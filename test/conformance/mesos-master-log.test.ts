// The master's log as operators use it: read over HTTP at /master/log, and made to say more for a while.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { freePort } from '#test/support/free-port.ts';
import { eventually, root } from '#test/support/cluster.ts';

const home = mkdtempSync(join(tmpdir(), 'strata-log-'));
const log = join(home, 'master.log');
let url = '';
let stop: () => Promise<void>;

before(async () => {
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  const options = ['--home', home, '--port', String(port), '--flag', `external_log_file=${log}`];
  const child = spawn(process.execPath, [join(root, 'src/bin/strata.ts'), 'master', ...options], {
    stdio: ['ignore', 'ignore', openSync(log, 'a')],
  });
  const gone = new Promise<void>((done) => child.once('exit', () => done()));
  stop = async () => {
    child.kill('SIGKILL');
    await gone;
    rmSync(home, { recursive: true, force: true });
  };
  await eventually('the master answers', async () =>
    (await fetch(`${url}/health`).catch(() => undefined))?.ok === true ? true : undefined,
  );
});
after(() => stop());

async function logged(): Promise<string> {
  const answer = await fetch(`${url}/files/read?path=/master/log&offset=0`);
  assert.equal(answer.status, 200);
  return ((await answer.json()) as { data: string }).data;
}

/** A message that no handler is for is told of only when much is. */
async function sayNothing(name: string): Promise<void> {
  await fetch(`${url}/master/${name}`, {
    method: 'POST',
    headers: { 'Libprocess-From': 'nobody@127.0.0.1:1' },
  });
}

const call = (body: object): Promise<Response> =>
  fetch(`${url}/api/v1`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });

test('the log is browsed, read and downloaded', async () => {
  assert.match(await logged(), /Master leads/);
  const listed = (await (await fetch(`${url}/files/browse?path=/master/log`)).json()) as {
    path: string;
  }[];
  assert.deepEqual(
    listed.map(({ path }) => path),
    ['/master/log'],
  );
  const whole = await (await fetch(`${url}/files/download?path=/master/log`)).text();
  assert.match(whole, /Master leads/);
  const read = await call({ type: 'READ_FILE', read_file: { path: '/master/log', offset: 0 } });
  const { read_file } = (await read.json()) as { read_file: { data: string } };
  assert.match(Buffer.from(read_file.data, 'base64').toString(), /Master leads/);
});

test('SET_LOGGING_LEVEL and /logging/toggle change what is written, for as long as they say', async () => {
  await sayNothing('Before');
  const duration = { nanoseconds: 60e9 };
  const set = await call({ type: 'SET_LOGGING_LEVEL', set_logging_level: { level: 1, duration } });
  assert.equal(set.status, 200);
  await sayNothing('Meanwhile');
  await eventually('more is written', async () =>
    /handler is for.*Meanwhile/.test(await logged()) ? true : undefined,
  );
  const back = await fetch(`${url}/logging/toggle?level=0&duration=1mins`);
  assert.equal(back.status, 200);
  await sayNothing('After');
  assert.equal((await fetch(`${url}/logging/toggle?level=1&duration=1mins`)).status, 200);
  await sayNothing('Again');
  await eventually('more is written again', async () =>
    /handler is for.*Again/.test(await logged()) ? true : undefined,
  );
  assert.doesNotMatch(await logged(), /Before|After/);
});
