// The master's APIs over real sockets: statuses and texts of bad requests, streams, endpoints.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import { RecordDecoder } from '#codec/recordio.ts';
import { Registry } from '#mesos/registry/registry.ts';
import { MemoryStore } from '#store/memory-store.ts';
import { decode, encode } from '#wire/mesos/codec.ts';
import type { SchedulerEvent } from '#wire/mesos/v1.ts';
import { aFramework, testOptions } from './core-fixture.ts';
import { MasterHttp } from './http.ts';
import { MasterShell } from './shell.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const server = createServer();
let shell: MasterShell;
let url = '';

before(async () => {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  const options = { ...testOptions, ip: '127.0.0.1', port, pid: `master@127.0.0.1:${port}` };
  shell = await MasterShell.start(options, new Registry(new MemoryStore()), env);
  const http = new MasterHttp(shell, { port: String(port) });
  server.on('request', (request, response) => http.handle(request, response));
  url = `http://127.0.0.1:${port}`;
});

after(async () => {
  await shell.close();
  server.closeAllConnections();
  server.close();
});

const JSON_TYPE = { 'Content-Type': 'application/json' };
const scheduler = '/api/v1/scheduler';
const subscribe = { type: 'SUBSCRIBE', subscribe: { framework_info: aFramework() } };

interface Case {
  readonly name: string;
  readonly path: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: unknown;
  readonly status: number;
  readonly text: string;
}

const validation = 'Failed to validate';
const conversion = 'Failed to convert JSON into Call protobuf';
const cases: readonly Case[] = [
  {
    name: 'GET',
    path: scheduler,
    method: 'GET',
    status: 405,
    text: "405 Method Not Allowed. Expecting one of { 'POST' }, but received 'GET'.",
  },
  {
    name: 'no content type',
    path: scheduler,
    headers: {},
    status: 400,
    text: "Expecting 'Content-Type' to be present",
  },
  {
    name: 'a wrong content type',
    path: '/api/v1',
    headers: { 'Content-Type': 'text/plain' },
    body: {},
    status: 415,
    text: "Expecting 'Content-Type' of application/json or application/x-protobuf",
  },
  {
    name: 'broken JSON',
    path: '/api/v1',
    body: '{',
    status: 400,
    text: 'Failed to parse body into JSON',
  },
  {
    name: 'broken protobuf',
    path: '/api/v1',
    headers: { 'Content-Type': 'application/x-protobuf' },
    body: 'garbage',
    status: 400,
    text: 'Failed to parse body into Call protobuf',
  },
  {
    name: 'no object',
    path: scheduler,
    body: '[]',
    status: 400,
    text: `${conversion}: Expecting a JSON object`,
  },
  {
    name: 'a missing field',
    path: scheduler,
    body: { type: 'SUBSCRIBE', subscribe: {} },
    status: 400,
    text: `${conversion}: Missing required fields: subscribe.framework_info`,
  },
  {
    name: 'no type',
    path: '/api/v1',
    body: { type: 'NONSENSE' },
    status: 400,
    text: `${validation} master::Call: Expecting 'type' to be present`,
  },
  {
    name: 'no body of the call',
    path: scheduler,
    body: { type: 'KILL', framework_id: { value: 'x' } },
    status: 400,
    text: `${validation} scheduler::Call: Expecting 'kill' to be present`,
  },
  {
    name: 'an unacceptable Accept',
    path: scheduler,
    headers: { ...JSON_TYPE, Accept: 'text/html' },
    body: subscribe,
    status: 406,
    text: "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'",
  },
  {
    name: 'a stream id with SUBSCRIBE',
    path: scheduler,
    headers: { ...JSON_TYPE, 'Mesos-Stream-Id': 'x' },
    body: subscribe,
    status: 400,
    text: "Subscribe calls should not include the 'Mesos-Stream-Id' header",
  },
  {
    name: 'an unknown framework',
    path: scheduler,
    body: { type: 'REVIVE', framework_id: { value: 'x' } },
    status: 400,
    text: 'Framework cannot be found',
  },
  {
    name: 'a call that is not served',
    path: '/api/v1',
    body: { type: 'UNKNOWN' },
    status: 501,
    text: '501 Not Implemented.',
  },
  {
    name: 'a weight of zero',
    path: '/api/v1',
    body: { type: 'UPDATE_WEIGHTS', update_weights: { weight_infos: [{ role: 'a', weight: 0 }] } },
    status: 400,
    text: "Failed to validate update weights request JSON for role 'a': Invalid weight '0'",
  },
  { name: 'an unknown path', path: '/nope', method: 'GET', status: 404, text: '404 Not Found.' },
];

for (const { name, path, method = 'POST', headers = JSON_TYPE, body, status, text } of cases) {
  test(`${path} refuses ${name} with ${status}`, async () => {
    const before = JSON.stringify([...shell.core.state.frameworks.keys()]);
    const payload = typeof body === 'string' ? body : JSON.stringify(body);
    const answer = await fetch(url + path, {
      method,
      headers,
      ...(body === undefined ? {} : { body: new Blob([payload]) }),
    });
    assert.equal(answer.status, status);
    assert.ok((await answer.text()).startsWith(text));
    assert.equal(JSON.stringify([...shell.core.state.frameworks.keys()]), before);
  });
}

type Media = 'application/json' | 'application/x-protobuf';

async function open(media: Media, info = aFramework()) {
  const call = { type: 'SUBSCRIBE' as const, subscribe: { framework_info: info } };
  const own = info.id === undefined ? call : { ...call, framework_id: info.id };
  const body = media === 'application/json' ? JSON.stringify(own) : encode('SchedulerCall', own);
  const abort = new AbortController();
  const answer = await fetch(url + scheduler, {
    method: 'POST',
    headers: { 'Content-Type': media, Accept: media },
    body: new Blob([body as Uint8Array<ArrayBuffer>]),
    signal: abort.signal,
  });
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new RecordDecoder();
  const waiting: Uint8Array[] = [];
  const next = async (): Promise<SchedulerEvent | undefined> => {
    while (waiting.length === 0) {
      const { value, done } = await reader.read();
      if (done) return undefined;
      waiting.push(...decoder.push(value));
    }
    const record = waiting.shift() as Uint8Array;
    return media === 'application/json'
      ? (JSON.parse(Buffer.from(record).toString()) as SchedulerEvent)
      : decode('SchedulerEvent', record);
  };
  return { answer, next, close: () => abort.abort() };
}

for (const media of ['application/json', 'application/x-protobuf'] as const) {
  test(`SUBSCRIBE streams ${media} records and takes calls with the stream's id`, async () => {
    const { answer, next, close } = await open(media);
    assert.equal(answer.headers.get('content-type'), media);
    const streamId = answer.headers.get('mesos-stream-id') ?? '';
    const first = await next();
    assert.equal(first?.type, 'SUBSCRIBED');
    assert.equal(first.subscribed?.heartbeat_interval_seconds, 15);
    assert.equal((await next())?.type, 'HEARTBEAT');
    const framework_id = first.subscribed?.framework_id;
    const post = (headers: Record<string, string>, call: object) =>
      fetch(url + scheduler, {
        method: 'POST',
        headers: { ...JSON_TYPE, ...headers },
        body: JSON.stringify({ framework_id, ...call }),
      });
    const without = await post({}, { type: 'REVIVE' });
    assert.equal(without.status, 400);
    assert.match(await without.text(), /should include the 'Mesos-Stream-Id' header/);
    const wrong = await post({ 'Mesos-Stream-Id': 'bad' }, { type: 'REVIVE' });
    assert.match(await wrong.text(), /The stream ID 'bad' included in this request/);
    const taken = await post({ 'Mesos-Stream-Id': streamId }, { type: 'REVIVE' });
    assert.equal(taken.status, 202);
    const framework_info = { ...aFramework(), id: framework_id, user: 'other' };
    const call = { type: 'UPDATE_FRAMEWORK', update_framework: { framework_info } };
    const fixed = await post({ 'Mesos-Stream-Id': streamId }, call);
    assert.equal(fixed.status, 400);
    assert.match(await fixed.text(), /Updating 'FrameworkInfo.user' is unsupported/);
    await post({ 'Mesos-Stream-Id': streamId }, { type: 'TEARDOWN' });
    assert.equal(await next(), undefined, 'the stream of a framework that is gone ends');
    close();
  });
}

test('SUBSCRIBE of a bad framework gets one ERROR event, then the end', async () => {
  const { answer, next } = await open('application/json', aFramework({ roles: ['a b'] }));
  assert.equal(answer.status, 200);
  const event = await next();
  assert.equal(event?.type, 'ERROR');
  assert.match(event.error?.message ?? '', /contains backspace or whitespace/);
  assert.equal(await next(), undefined);
});

test('the operator API and the older endpoints show the same frameworks', async () => {
  const { next, close } = await open('application/json', aFramework({ name: 'shown' }));
  const id = (await next())?.subscribed?.framework_id.value;
  const body = JSON.stringify({ type: 'GET_STATE' });
  const state = await fetch(`${url}/api/v1`, { method: 'POST', headers: JSON_TYPE, body });
  const { get_state } = (await state.json()) as {
    get_state: { get_frameworks: { frameworks: { framework_info: { id: { value: string } } }[] } };
  };
  const ids = get_state.get_frameworks.frameworks.map((one) => one.framework_info.id.value);
  assert.ok(ids.includes(id ?? ''));
  for (const path of ['/state', '/master/state/', '/frameworks', '/state-summary']) {
    const answer = await fetch(url + path);
    const { frameworks } = (await answer.json()) as { frameworks: { id: string; name: string }[] };
    assert.equal(frameworks.find((one) => one.id === id)?.name, 'shown', path);
  }
  const roles = await fetch(`${url}/roles?jsonp=show`);
  assert.equal(roles.headers.get('content-type'), 'text/javascript');
  assert.match(await roles.text(), /^show\(\{"roles":/);
  const metrics = (await (await fetch(`${url}/metrics/snapshot`)).json()) as object;
  assert.ok('master/frameworks_active' in metrics);
  const redirect = await fetch(`${url}/redirect`, { redirect: 'manual' });
  assert.equal(redirect.status, 307);
  close();
});

test('weights are kept, and shown by both APIs', async () => {
  const weight_infos = [{ role: 'gold', weight: 3 }];
  const body = JSON.stringify({ type: 'UPDATE_WEIGHTS', update_weights: { weight_infos } });
  const answer = await fetch(`${url}/api/v1`, { method: 'POST', headers: JSON_TYPE, body });
  assert.equal(answer.status, 200);
  assert.deepEqual(await (await fetch(`${url}/weights`)).json(), weight_infos);
});

test('metrics tell how many requests wait, and how long runs of the allocator take', async () => {
  const metricsNow = async (): Promise<Record<string, number>> =>
    (await (await fetch(`${url}/metrics/snapshot`)).json()) as Record<string, number>;
  const waitingNow = async (): Promise<number> =>
    (await metricsNow())['master/event_queue_http_requests'] ?? -1;
  const before = await waitingNow();
  // A body that has not come whole is waited for.
  const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1' });
  const head = `POST /api/v1 HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n`;
  socket.write(`${head}Content-Length: 100\r\n\r\n{`);
  for (let turns = 0; (await waitingNow()) !== before + 1; turns++) assert.ok(turns < 1_000);
  socket.destroy();
  for (let turns = 0; (await waitingNow()) !== before; turns++) assert.ok(turns < 1_000);
  const metrics = await metricsNow();
  assert.equal(metrics['master/event_queue_messages'], 0);
  assert.equal(metrics['master/event_queue_dispatches'], 0);
  const runs = metrics['allocator/mesos/allocation_runs'] ?? 0;
  assert.ok(runs > 0);
  assert.equal(metrics['allocator/mesos/allocation_run_ms/count'], runs);
  assert.equal(metrics['allocator/mesos/allocation_run_latency_ms/count'], runs);
  assert.ok((metrics['allocator/mesos/allocation_run_ms/max'] ?? -1) >= 0);
});

test('who has gone before an answer is made gets none, and those who asked the same get theirs', async () => {
  const left = Promise.withResolvers<void>();
  server.prependOnceListener('request', (_request, response) => {
    response.destroy();
    left.resolve();
  });
  const headers = { 'Accept-Encoding': 'gzip' };
  const gone = fetch(`${url}/state?jsonp=same`, { headers }).then(
    () => 'answered',
    () => 'cut off',
  );
  await left.promise;
  const answers = await Promise.all([
    fetch(`${url}/state?jsonp=same`, { headers }),
    fetch(`${url}/state`, { headers }),
  ]);
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200],
  );
  assert.match((await answers[0]?.text()) ?? '', /^same\(/);
  assert.equal(await gone, 'cut off');
});
