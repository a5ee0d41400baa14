// Calls of schedulers over raw connections: the answers are those of the HTTP server, whatever their form,
// and whatever comes before and after them.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { eventually } from '#test/support/cluster.ts';
import { createEnv } from '#env/node/env.ts';
import { Authentication } from '#mesos/security/authentication.ts';
import { basicHeader, BasicAuthenticator } from '#mesos/security/basic.ts';
import { BearerAuthenticator, signToken } from '#mesos/security/bearer.ts';
import { PortServer } from '#mesos/security/port-server.ts';
import { Registry } from '#mesos/registry/registry.ts';
import { MemoryStore } from '#store/memory-store.ts';
import { encode } from '#wire/mesos/codec.ts';
import { aFramework, testOptions } from './core-fixture.ts';
import { MasterHttp } from './http.ts';
import { SCHEDULER_REALM } from './realms.ts';
import { MasterShell } from './shell.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });

/** A master on a port of its own; `isLean` false: only the HTTP server reads. */
async function startMaster(authentication?: Authentication, isLean = true) {
  const server = new PortServer(
    { requireHostHeader: false, keepAliveTimeout: 0 },
    undefined,
    env.log,
  );
  const port = await server.listen({ host: '127.0.0.1', port: 0 });
  const options = { ...testOptions, ip: '127.0.0.1', port, pid: `master@127.0.0.1:${port}` };
  const shell = await MasterShell.start(options, new Registry(new MemoryStore()), env);
  const http = new MasterHttp(shell, {}, authentication === undefined ? {} : { authentication });
  const seen: { taken: number; onTaken?: (socket: Socket) => void } = { taken: 0 };
  server.onRequest((request, response) => http.handle(request, response));
  if (isLean) {
    server.onConnection((socket, first, giveBack) => {
      const isTaken = http.accept(socket, first, giveBack);
      if (isTaken) seen.taken += 1;
      if (isTaken) seen.onTaken?.(socket);
      return isTaken;
    });
  }
  const close = async (): Promise<void> => {
    await shell.close();
    await server.close();
  };
  return Object.assign(seen, { port, close, portions: shell.portions });
}

type Master = Awaited<ReturnType<typeof startMaster>>;

async function subscribe(port: number, headers: Record<string, string> = {}, principal?: string) {
  const info = principal === undefined ? aFramework() : aFramework({ principal });
  const call = { type: 'SUBSCRIBE', subscribe: { framework_info: info } };
  const abort = new AbortController();
  const answer = await fetch(`http://127.0.0.1:${port}/api/v1/scheduler`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify(call),
    signal: abort.signal,
  });
  assert.equal(answer.status, 200);
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
  let text = '';
  while (!text.includes('"SUBSCRIBED"')) text += Buffer.from((await reader.read()).value ?? []);
  const framework_id = { value: /"framework_id":\{"value":"([^"]+)"/.exec(text)?.[1] ?? '' };
  return {
    framework_id,
    streamId: answer.headers.get('mesos-stream-id') ?? '',
    close: () => abort.abort(),
  };
}

interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Answers with a length, or in one chunk, out of what has come. */
function answersIn(text: string): RawAnswer[] {
  const found: RawAnswer[] = [];
  for (let at = 0; ;) {
    const end = text.indexOf('\r\n\r\n', at);
    if (end < 0) return found;
    const [line = '', ...lines] = text.slice(at, end).split('\r\n');
    const headers = Object.fromEntries(
      lines.map((one) => {
        const [name = '', value = ''] = one.split(/: (.*)/s);
        return [name.toLowerCase(), value];
      }),
    );
    const status = Number(line.split(' ')[1]);
    const rest = text.slice(end + 4);
    const chunk = headers['transfer-encoding'] === 'chunked' ? /^([\da-f]+)\r\n/.exec(rest) : null;
    const length =
      chunk === null ? Number(headers['content-length'] ?? 0) : Number.parseInt(chunk[1] ?? '', 16);
    const from = chunk === null ? 0 : chunk[0].length;
    const whole = chunk === null ? length : from + length + '\r\n0\r\n\r\n'.length;
    if (rest.length < whole) return found;
    found.push({ status, headers, body: rest.slice(from, from + length) });
    at = end + 4 + whole;
  }
}

/** Sends the parts, each in a packet of its own; gives so many answers, or those until the end. */
async function exchange(port: number, parts: readonly (string | Buffer)[], count: number) {
  const socket: Socket = connect({ port, host: '127.0.0.1', noDelay: true });
  let text = '';
  socket.setEncoding('latin1');
  const done = new Promise<void>((resolve) => {
    socket.on('data', (chunk) => {
      text += String(chunk);
      if (answersIn(text).length >= count) resolve();
    });
    socket.on('close', () => resolve());
    socket.on('error', () => resolve());
  });
  for (const part of parts) {
    await new Promise<void>((sent) => socket.write(part, () => setImmediate(sent)));
  }
  await done;
  socket.destroy();
  return answersIn(text);
}

interface Form {
  readonly body: string | Buffer;
  readonly headers?: readonly string[];
  readonly path?: string;
  readonly isChunked?: boolean;
}

function request(streamId: string, { body, headers, path, isChunked = false }: Form): Buffer {
  const bytes = Buffer.from(body as string);
  const all = [
    `POST ${path ?? '/api/v1/scheduler'} HTTP/1.1`,
    `Mesos-Stream-Id: ${streamId}`,
    ...(headers ?? ['Content-Type: application/json']),
    isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${bytes.length}`,
  ];
  const head = Buffer.from(`${all.join('\r\n')}\r\n\r\n`);
  if (!isChunked) return Buffer.concat([head, bytes]);
  const half = bytes.length >> 1;
  const chunks = [bytes.subarray(0, half), bytes.subarray(half)].map((part) =>
    Buffer.concat([Buffer.from(`${part.length.toString(16)};x=y\r\n`), part, Buffer.from('\r\n')]),
  );
  return Buffer.concat([head, ...chunks, Buffer.from('0\r\nX-Trailer: y\r\n\r\n')]);
}

let lean: Master;
let plain: Master;

before(async () => {
  lean = await startMaster();
  plain = await startMaster(undefined, false);
});

after(async () => {
  await lean.close();
  await plain.close();
});

test('the answers are those of the HTTP server, in every form and wherever they are cut', async () => {
  const told: string[][] = [];
  for (const master of [lean, plain]) {
    const own = await subscribe(master.port);
    const { framework_id, streamId } = own;
    const revive = JSON.stringify({ framework_id, type: 'REVIVE' });
    const kill = { framework_id, type: 'KILL' as const, kill: { task_id: { value: 'none' } } };
    const protobuf = Buffer.from(encode('SchedulerCall', kill));
    const update = {
      framework_id,
      type: 'UPDATE_FRAMEWORK',
      update_framework: { framework_info: { ...aFramework(), id: framework_id } },
    };
    const reconcile = { framework_id, type: 'RECONCILE_OPERATIONS', reconcile_operations: {} };
    const html = ['Content-Type: application/json', 'Accept: text/html'];
    const forms: Form[] = [
      { body: revive },
      { body: revive, isChunked: true },
      { body: revive, path: '/master/api/v1/scheduler' },
      { body: protobuf, headers: ['Content-Type: application/x-protobuf'] },
      { body: JSON.stringify(update) },
      { body: '{' },
      { body: '[]', isChunked: true },
      { body: '{"type":"KILL"}' },
      { body: '{"name":"\u00e4"}' },
      { body: JSON.stringify({ type: 'REVIVE', framework_id: { value: 'ä' } }) },
      { body: JSON.stringify({ framework_id, type: 'KILL' }) },
      { body: revive, headers: [] },
      { body: revive, headers: ['Content-Type: text/plain'] },
      { body: JSON.stringify(reconcile), headers: html },
      { body: JSON.stringify({ type: 'SUBSCRIBE', subscribe: { framework_info: aFramework() } }) },
    ];
    const all = forms.map((form) => request(streamId, form));
    all.push(request('wrong ä', { body: revive }));
    const together = await exchange(master.port, [Buffer.concat(all)], all.length);
    assert.equal(together.length, all.length);
    for (const [i, one] of all.entries()) {
      const cuts = [0, 1, 30, one.length - 30, one.length - 1, one.length];
      const parts = cuts.slice(1).map((end, k) => one.subarray(cuts[k], end));
      const [, alone] = await exchange(
        master.port,
        [request(streamId, { body: revive }), ...parts],
        2,
      );
      assert.equal(alone?.status, together[i]?.status, String(one));
    }
    const hidden = (text: string): string => text.replaceAll(framework_id.value, 'ID');
    told.push(together.map(({ status, body }) => `${status} ${hidden(body)}`));
    for (const { headers } of together) assert.ok(Date.parse(headers['date'] ?? '') > 0);
    own.close();
  }
  assert.deepEqual(told[0], told[1]);
  assert.deepEqual(
    told[0]?.map((one) => one.slice(0, 3)),
    [
      ...Array.from({ length: 4 }, () => '202'),
      '200',
      ...Array.from({ length: 6 }, () => '400'),
      '400',
      '415',
      '406',
      '400',
      '400',
    ],
  );
  assert.ok(lean.taken > 10 && plain.taken === 0);
});

test('what else comes on the connection is for the HTTP server', async () => {
  const own = await subscribe(lean.port);
  const revive = request(own.streamId, {
    body: JSON.stringify({ framework_id: own.framework_id, type: 'REVIVE' }),
  });
  const health = 'GET /health HTTP/1.1\r\n\r\n';
  const expecting = String(revive).replace(
    'Content-Length',
    'Expect: 100-continue\r\nContent-Length',
  );
  const statuses = (answers: RawAnswer[]): number[] => answers.map(({ status }) => status);
  const both = await exchange(lean.port, [Buffer.concat([revive, Buffer.from(health), revive])], 3);
  assert.deepEqual(statuses(both), [202, 200, 202]);
  const waited = await exchange(lean.port, [Buffer.concat([revive, Buffer.from(expecting)])], 3);
  assert.deepEqual(statuses(waited), [202, 100, 202]);
  const closing = String(revive).replace('Content-Length', 'Connection: close\r\nContent-Length');
  const last = await exchange(lean.port, [Buffer.concat([revive, Buffer.from(closing)])], 9);
  assert.deepEqual(statuses(last), [202, 202], 'the connection ends after it');
  own.close();
});

test('calls that wait for their turn are answered in order, before what comes behind them', async () => {
  const own = await subscribe(lean.port);
  const { framework_id, streamId } = own;
  const call = (type: string): Buffer =>
    request(streamId, { body: JSON.stringify({ framework_id, type }) });
  const bad = call('NOTHING');
  let turns = 0;
  let isBusy = true;
  // Long work of others, until all has come.
  lean.portions.add('call', () => (turns += 1) > 0 && isBusy);
  const health = 'GET /health HTTP/1.1\r\n\r\n';
  const calls = [call('REVIVE'), bad, call('SUPPRESS'), Buffer.from(health), call('REVIVE')];
  const bytes = Buffer.concat(calls);
  const cut = bytes.length - calls.at(-1)!.length - 5;
  const answers = exchange(lean.port, [bytes.subarray(0, cut), bytes.subarray(cut)], 5);
  const broken = String(call('REVIVE')).replace(
    /Content-Length: .*/s,
    'Transfer-Encoding: chunked',
  );
  const end = Buffer.concat([bad, call('REVIVE'), Buffer.from(`${broken}\r\n\r\nzz\r\n`)]);
  const ending = exchange(lean.port, [end], 9);
  const statuses = (await answers).map(({ status }) => status);
  isBusy = false;
  assert.deepEqual(statuses, [202, 400, 202, 200, 202]);
  assert.ok(turns > 1);
  assert.deepEqual(
    (await ending).map(({ status }) => status),
    [400, 202, 400],
  );
  own.close();
});

test('chunks that are none, and bodies that are too long, are refused and end the connection', async () => {
  const own = await subscribe(lean.port);
  const { framework_id, streamId } = own;
  const revive = request(streamId, { body: JSON.stringify({ framework_id, type: 'REVIVE' }) });
  const head = (rest: string): Buffer =>
    Buffer.from(
      `POST /api/v1/scheduler HTTP/1.1\r\nMesos-Stream-Id: ${streamId}\r\n` +
        `Content-Type: application/json\r\n${rest}`,
    );
  const wrong = head('Transfer-Encoding: chunked\r\n\r\nzz\r\n');
  const long = head('Content-Length: 100000000\r\n\r\n{');
  for (const [bytes, status] of [
    [wrong, 400],
    [long, 413],
  ] as const) {
    const answers = await exchange(lean.port, [Buffer.concat([revive, bytes])], 9);
    assert.deepEqual(
      answers.map((one) => one.status),
      [202, status],
    );
    assert.equal(answers[1]?.headers['connection'], 'close');
  }
  own.close();
});

test('who ends the connection right behind a call is answered, and then it ends', async () => {
  const own = await subscribe(lean.port);
  const { framework_id, streamId } = own;
  const body = JSON.stringify({ framework_id, type: 'REVIVE' });
  const call = request(streamId, { body, headers: ['Content-Type: application/json'] });
  for (const count of [1, 3]) {
    const socket = connect({ port: lean.port, host: '127.0.0.1' });
    let text = '';
    socket.setEncoding('latin1').on('data', (chunk) => (text += String(chunk)));
    const ended = once(socket, 'end');
    socket.end(Buffer.concat(Array.from({ length: count }, () => call)));
    await ended;
    const statuses = answersIn(text).map(({ status }) => status);
    assert.deepEqual(
      statuses,
      Array.from({ length: count }, () => 202),
    );
  }
  own.close();
});

interface RawStream {
  readonly socket: Socket;
  readonly said: () => string;
  readonly framework_id: { readonly value: string };
  readonly streamId: string;
}

/** Subscribes on a raw connection and leaves that open. */
async function rawStream(port: number, name: string): Promise<RawStream> {
  const info = aFramework({ name });
  const body = JSON.stringify({ type: 'SUBSCRIBE', subscribe: { framework_info: info } });
  const socket = connect({ port, host: '127.0.0.1' });
  let text = '';
  const subscribed = new Promise<void>((done) => {
    socket.setEncoding('latin1').on('data', (chunk) => {
      text += String(chunk);
      if (text.includes('"SUBSCRIBED"')) done();
    });
  });
  const head = `POST /api/v1/scheduler HTTP/1.1\r\nHost: x\r\nContent-Type: application/json`;
  socket.write(`${head}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  await subscribed;
  const framework_id = { value: /"framework_id":\{"value":"([^"]+)"/.exec(text)?.[1] ?? '' };
  const streamId = /mesos-stream-id: (\S+)/i.exec(text)?.[1] ?? '';
  return { socket, said: () => text, framework_id, streamId };
}

function callOn({ framework_id, streamId }: RawStream, type: string): Buffer {
  const body = JSON.stringify({ framework_id, type });
  return request(streamId, { body, headers: ['Content-Type: application/json'] });
}

const STREAM_END = '\r\n0\r\n\r\n';

test('the end of a stream is told, and its connection serves what comes then', async () => {
  for (const master of [lean, plain]) {
    const before = master.taken;
    const short = await rawStream(master.port, 'short');
    assert.equal(master.taken - before, master === lean ? 1 : 0);
    assert.match(short.said(), /^HTTP\/1\.1 200 OK\r\n/);
    assert.match(short.said(), /\r\nTransfer-Encoding: chunked\r\n/);
    const [answer] = await exchange(master.port, [callOn(short, 'TEARDOWN')], 1);
    assert.equal(answer?.status, 202);
    await eventually('all of it', async () => short.said().endsWith(STREAM_END) || undefined);
    let from = short.said().length;
    const said = async (start: string): Promise<void> => {
      await eventually(start, async () => short.said().slice(from).startsWith(start) || undefined);
      from = short.said().length;
    };
    // A call is read without the HTTP server, as before the stream, and the rest by it.
    short.socket.write(callOn(short, 'REVIVE'));
    await said('HTTP/1.1 400 Bad Request\r\n');
    short.socket.write('GET /version HTTP/1.1\r\nHost: x\r\n\r\n');
    await said('HTTP/1.1 200 OK\r\n');
    short.socket.destroy();
  }
});

test('what is asked behind a stream is done at once, and answered behind its end', async () => {
  for (const master of [lean, plain]) {
    const own = await rawStream(master.port, 'own');
    own.socket.write(Buffer.concat([callOn(own, 'SUPPRESS'), callOn(own, 'TEARDOWN')]));
    await eventually('both answers', async () => {
      const [, behind = ''] = own.said().split(STREAM_END);
      return answersIn(behind).length === 2 || undefined;
    });
    const [, behind = ''] = own.said().split(STREAM_END);
    assert.deepEqual(
      answersIn(behind).map(({ status }) => status),
      [202, 202],
    );
    own.socket.destroy();
  }
});

test('a framework that subscribes anew behind its own stream goes on with the new one', async () => {
  for (const master of [lean, plain]) {
    const own = await rawStream(master.port, 'anew');
    const { framework_id } = own;
    const framework_info = { ...aFramework({ name: 'anew' }), id: framework_id };
    const call = { type: 'SUBSCRIBE', framework_id, subscribe: { framework_info } };
    const body = JSON.stringify(call);
    const head = 'POST /api/v1/scheduler HTTP/1.1\r\nHost: x\r\nContent-Type: application/json';
    own.socket.write(`${head}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    const behind = await eventually('the new stream', async () => {
      const [, rest = ''] = own.said().split(STREAM_END);
      return rest.includes('"SUBSCRIBED"') ? rest : undefined;
    });
    assert.match(behind, /^HTTP\/1\.1 200 OK\r\n/);
    own.socket.destroy();
  }
});

test('what is for the HTTP server waits behind a stream, and what is no request ends it', async () => {
  const first = await rawStream(lean.port, 'first');
  first.socket.write('GET /version HTTP/1.1\r\nHost: x\r\n\r\n');
  const [answer] = await exchange(lean.port, [callOn(first, 'TEARDOWN')], 1);
  assert.equal(answer?.status, 202);
  await eventually('the answer', async () => {
    return first.said().split(STREAM_END)[1]?.startsWith('HTTP/1.1 200 OK') || undefined;
  });
  first.socket.destroy();
  const second = await rawStream(lean.port, 'second');
  const closed = once(second.socket, 'close');
  const head = 'POST /api/v1/scheduler HTTP/1.1\r\nTransfer-Encoding: chunked';
  second.socket.write(`${head}\r\n\r\nzz\r\n`);
  await closed;
  assert.ok(!second.said().endsWith(STREAM_END));
  const [gone] = await exchange(lean.port, [callOn(second, 'TEARDOWN')], 1);
  assert.ok(gone?.status === 400 || gone?.status === 403, 'it is not subscribed any more');
});

test('a framework whose connection ends is not subscribed any more', async () => {
  for (const end of ['end', 'destroy'] as const) {
    const own = await rawStream(lean.port, end);
    own.socket[end]();
    await eventually('it is disconnected', async () => {
      const [answer] = await exchange(lean.port, [callOn(own, 'REVIVE')], 1);
      return answer?.status !== 202 || undefined;
    });
    own.socket.destroy();
  }
});

test('who does not read the answers is not read either, and gets all of them when it does', async () => {
  const head =
    'POST /api/v1/scheduler HTTP/1.1\r\nMesos-Stream-Id: x\r\nContent-Type: application/json';
  const call = `${head}\r\nContent-Length: 2\r\n\r\n{}`;
  const [one] = await exchange(lean.port, [call], 1);
  assert.equal(one?.status, 400);
  // More than all buffers of the kernel between the two may hold.
  const [batch, batches] = [1_000, 150];
  const socket = connect({ port: lean.port, host: '127.0.0.1' });
  const server = await new Promise<Socket>((found) => {
    lean.onTaken = found;
    for (let i = 0; i < batches; i++) socket.write(call.repeat(batch));
  });
  let most = 0;
  server.prependListener('data', () => {
    most = Math.max(most, server.writableLength);
  });
  while (!server.isPaused() || !server.writableNeedDrain) {
    await new Promise((turn) => setImmediate(turn));
  }
  let length = 0;
  let first = Buffer.alloc(0);
  // An answer ends where the next one begins, which need not have come with it.
  let answerLength = -1;
  await new Promise<void>((all) => {
    socket.on('data', (chunk: Buffer) => {
      if (answerLength < 0) {
        first = Buffer.concat([first, chunk]);
        answerLength = first.indexOf('HTTP/1.1', 1);
      }
      length += chunk.length;
      if (length === answerLength * batch * batches) all();
    });
  });
  assert.ok(most < 1_000_000, `${most} bytes waited`);
  socket.destroy();
});

test('names, secrets and tokens are asked for', async () => {
  const credentials = new Map([['scheduler', 'secret']]);
  const basic = new BasicAuthenticator(SCHEDULER_REALM, credentials);
  const key = Buffer.from('a key of at least thirty-two bytes');
  const bearer = new BearerAuthenticator(SCHEDULER_REALM, key, () => Date.now());
  const withName = basicHeader({ principal: 'scheduler', secret: 'secret' });
  for (const [authenticators, isBasic] of [
    [[basic], true],
    [[basic, bearer], false],
  ] as const) {
    const master = await startMaster(
      new Authentication(new Map([[SCHEDULER_REALM, authenticators]])),
    );
    const own = await subscribe(master.port, { Authorization: withName }, 'scheduler');
    const { framework_id, streamId } = own;
    const body = JSON.stringify({ framework_id, type: 'REVIVE' });
    const named = (...more: string[]): Buffer => {
      return request(streamId, { body, headers: ['Content-Type: application/json', ...more] });
    };
    const token = await signToken({ sub: 'somebody' }, key);
    const answers = await exchange(
      master.port,
      [
        Buffer.concat([
          named(),
          named(`Authorization: ${withName}`),
          named(`Authorization: ${basicHeader({ principal: 'scheduler', secret: 'x' })}`),
          named(`Authorization: Bearer ${token}`),
        ]),
      ],
      4,
    );
    const unnamed = isBasic ? 401 : 403;
    assert.deepEqual(
      answers.map(({ status }) => status),
      [401, 202, 401, unnamed],
    );
    assert.match(answers[0]?.headers['www-authenticate'] ?? '', /^Basic realm=/);
    assert.ok(master.taken > 0);
    own.close();
    await master.close();
  }
});
