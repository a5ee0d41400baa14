// The agent over HTTP: errors in the order and words of Mesos, and sandbox files that lead nowhere
// else.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { SimDisk } from '#env/sim/disk.ts';
import { SimClock } from '#env/sim/clock.ts';
import { SimMachine } from '#env/sim/process.ts';
import { SimRandom } from '#env/sim/random.ts';
import type { Log } from '#env/env.ts';
import { decode } from '#wire/mesos/codec.ts';
import { type RunningAgent, startAgent } from './service.ts';

const silent: Log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silent,
};

const folder = mkdtempSync(join(tmpdir(), 'strata-agent-'));
const sandbox = join(folder, 'slaves/a/frameworks/f/executors/e/runs/c');
let agent: RunningAgent;
const clock = new SimClock();
const verbosities: number[] = [];

before(async () => {
  mkdirSync(sandbox, { recursive: true });
  writeFileSync(join(sandbox, 'stdout'), 'hello');
  writeFileSync(join(folder, 'secret'), 'secret');
  symlinkSync(join(folder, 'secret'), join(sandbox, 'link'));
  const env = { clock, timers: clock, random: new SimRandom(1), log: silent };
  agent = await startAgent(
    {
      // Nobody listens there: the agent goes on trying, on a clock that stands still.
      masterAddress: '127.0.0.1:1',
      workFolder: folder,
      host: '127.0.0.1',
      port: 0,
      hostname: 'h',
      resources: [{ name: 'cpus', type: 'SCALAR', scalar: { value: 4 } }],
      attributes: [],
      flags: { work_dir: folder },
      onVerbosity: (level) => verbosities.push(level),
    },
    { env, disk: new SimDisk(), host: new SimMachine({ clock, timers: clock }).host() },
  );
});

after(async () => {
  await agent.close();
  rmSync(folder, { recursive: true, force: true });
});

async function ask(
  path: string,
  options: { body?: unknown; type?: string | undefined; accept?: string } = {},
) {
  const { body, accept } = options;
  const type = 'type' in options ? options.type : 'application/json';
  const response = await fetch(agent.url + path, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      ...(body === undefined || type === undefined ? {} : { 'Content-Type': type }),
      ...(accept === undefined ? {} : { Accept: accept }),
    },
    ...(body === undefined
      ? {}
      : { body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)) }),
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  return { status: response.status, text: bytes.toString(), bytes, headers: response.headers };
}

const ids = { executor_id: { value: 'e' }, framework_id: { value: 'f' } };
const health = { type: 'GET_HEALTH' };

const refusals = [
  {
    name: 'GET',
    path: '/api/v1/executor',
    want: 405,
    text: /^405 Method Not Allowed\. Expecting one of/,
  },
  {
    name: 'no media type',
    path: '/api/v1',
    body: health,
    type: undefined,
    want: 400,
    text: /'Content-Type' to be present/,
  },
  {
    name: 'another media type',
    path: '/api/v1',
    body: health,
    type: 'text/plain',
    want: 415,
    text: /application\/json/,
  },
  {
    name: 'no JSON',
    path: '/api/v1/executor',
    body: '{',
    want: 400,
    text: /^Failed to parse body into JSON: syntax error/,
  },
  {
    name: 'no type',
    path: '/api/v1',
    body: {},
    want: 400,
    text: /^Failed to validate agent::Call: Expecting 'type'/,
  },
  {
    name: 'no update',
    path: '/api/v1/executor',
    body: { ...ids, type: 'UPDATE' },
    want: 400,
    text: /^Failed to validate Executor::Call: Expecting 'update'/,
  },
  {
    name: 'a framework that is not here',
    path: '/api/v1/executor',
    body: { ...ids, type: 'SUBSCRIBE', subscribe: {} },
    want: 400,
    text: /^Framework cannot be found$/,
  },
  {
    name: 'a heartbeat of nobody',
    path: '/api/v1/executor',
    body: { ...ids, type: 'HEARTBEAT' },
    want: 202,
    text: /^$/,
  },
  {
    name: 'no acceptable answer',
    path: '/api/v1',
    body: health,
    accept: 'text/html',
    want: 406,
    text: /'Accept'/,
  },
  {
    name: 'a call that is not there',
    path: '/api/v1',
    body: { type: 'UNKNOWN' },
    want: 501,
    text: /^501 Not Implemented\.$/,
  },
  { name: 'an unknown path', path: '/state.json', want: 404, text: /^404 Not Found\.$/ },
  { name: 'a file outside', path: `/files/read?path=${folder}/secret`, want: 404, text: /^$/ },
  {
    name: 'a way around',
    path: `/files/read?path=${sandbox}/../../../../../../../../secret`,
    want: 400,
    text: /is inaccessible\.\n$/,
  },
  {
    name: 'a link that leads outside',
    path: `/files/download?path=${sandbox}/link`,
    want: 400,
    text: /is inaccessible\.\n$/,
  },
  { name: 'no path', path: '/files/browse', want: 400, text: /path=value/ },
] as const;
for (const { name, path, want, text, ...options } of refusals) {
  test(`agent HTTP: ${name} is answered with ${want}`, async () => {
    const answer = await ask(path, options);
    assert.equal(answer.status, want);
    assert.match(answer.text, text);
  });
}

test('agent HTTP: one answer as JSON and as protobuf, also below the process name', async () => {
  const json = await ask('/slave(1)/api/v1', { body: health });
  assert.deepEqual(JSON.parse(json.text), { type: 'GET_HEALTH', get_health: { healthy: true } });
  const accept = 'application/x-protobuf';
  const binary = await ask('/api/v1', { body: health, accept });
  assert.equal(binary.headers.get('content-type'), accept);
  assert.deepEqual(decode('AgentResponse', binary.bytes).get_health, { healthy: true });
});

test('agent HTTP: sandbox files are listed, read from an offset, and downloaded', async () => {
  const path = `${sandbox}/stdout`;
  const list = JSON.parse((await ask(`/files/browse?path=${sandbox}`)).text);
  assert.deepEqual(list.map((one: { size: number; mode: string }) => [one.size, one.mode[0]])[1], [
    5,
    '-',
  ]);
  const read = JSON.parse((await ask(`/files/read?path=${path}&offset=1&length=3`)).text);
  assert.deepEqual(read, { data: 'ell', offset: 1 });
  const size = JSON.parse((await ask(`/files/read?path=${path}`)).text);
  assert.deepEqual(size, { data: '', offset: 5 });
  assert.equal((await ask(`/files/download?path=${path}`)).text, 'hello');
  const call = { type: 'READ_FILE', read_file: { path, offset: 0 } };
  const answer = JSON.parse((await ask('/api/v1', { body: call })).text);
  assert.deepEqual(answer.read_file, { size: 5, data: Buffer.from('hello').toString('base64') });
});

test('agent HTTP: /state, /health, /metrics/snapshot and jsonp', async () => {
  const state = JSON.parse((await ask('/state')).text);
  assert.equal(state.resources.cpus, 4);
  assert.deepEqual(state.frameworks, []);
  assert.equal((await ask('/health')).status, 200);
  const metrics = JSON.parse((await ask('/metrics/snapshot')).text);
  assert.equal(metrics['slave/registered'], 0);
  assert.match((await ask('/version?jsonp=cb')).text, /^cb\(\{.*\}\)$/);
});

test('agent HTTP: the log says more for as long as it is told to, by call or by endpoint', async () => {
  const level = async (): Promise<unknown> => {
    const { text } = await ask('/api/v1', { body: { type: 'GET_LOGGING_LEVEL' } });
    return (JSON.parse(text) as { get_logging_level: { level: number } }).get_logging_level.level;
  };
  assert.equal(await level(), 0);
  const set_logging_level = { level: 2, duration: { nanoseconds: 60e9 } };
  const set = await ask('/api/v1', { body: { type: 'SET_LOGGING_LEVEL', set_logging_level } });
  assert.equal(set.status, 200);
  assert.equal(await level(), 2);
  assert.equal((await ask('/logging/toggle')).text, '2\n');
  clock.advance(60_000);
  assert.equal(await level(), 0);
  assert.equal((await ask('/logging/toggle?level=1&duration=5mins')).status, 200);
  assert.equal(await level(), 1);
  clock.advance(5 * 60_000);
  assert.deepEqual(verbosities, [2, 0, 1, 0]);
  for (const [query, why] of [
    ['level=1', "Expecting 'duration=value' in query."],
    ['duration=1secs', "Expecting 'level=value' in query."],
    ['level=x&duration=1secs', "Failed to convert 'x' to number."],
  ]) {
    const { status, text } = await ask(`/logging/toggle?${query}`);
    assert.deepEqual([status, text], [400, `${why}\n`]);
  }
  const nothing = await ask('/api/v1', { body: { type: 'SET_LOGGING_LEVEL' } });
  assert.match(nothing.text, /Expecting 'set_logging_level' to be present/);
});
