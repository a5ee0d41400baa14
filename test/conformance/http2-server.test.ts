// Our HTTP/2 server beside Node's own client, and beside frames that no client sends.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  connect as connectHttp2,
  constants,
  type ClientHttp2Session,
  type ClientHttp2Stream,
} from 'node:http2';
import { request as requestHttps, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { encodeFrame, errorCodes, flags, frameTypes, PREFACE, uint32 } from '#http2/frames.ts';
import { createHttpServer } from '#http2/server.ts';
import { Authority } from '#kube/pki/authority.ts';

type Handle = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

const handlers: Record<string, Handle> = {
  async '/echo'(request, response) {
    response.writeHead(200, {
      'X-Method': request.method,
      'X-Seen': request.headers['x-sent'] ?? '',
    });
    request.pipe(response);
  },
  async '/large'(_request, response) {
    response.writeHead(200, { 'Content-Type': 'text/plain' });
    response.end(large);
  },
  async '/early'(_request, response) {
    response.writeHead(413, {});
    response.end('too much');
  },
  async '/broken'(_request, response) {
    response.writeHead(200, {});
    response.write('a part');
    // Gone to the connection when the next turn comes.
    setImmediate(() => response.destroy());
  },
  async '/waits'(_request, response) {
    response.writeHead(200, {});
    response.flushHeaders();
    waiting.push(response);
    await once(response, 'close');
    closed += 1;
  },
  async '/headers'(request, response) {
    response.writeHead(200, { 'Set-Cookie': ['a=1', 'b=2'], Connection: 'close' });
    response.end(JSON.stringify({ headers: request.headers, raw: request.rawHeaders }));
  },
};

const large = Buffer.alloc(5_000_000, 'abcdefghij');
const waiting: ServerResponse[] = [];
let closed = 0;
let server: Server;
let folder: string;
let ca: string;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'strata-http2-'));
  const authority = await Authority.open(folder, Date.now());
  const identity = { commonName: 'localhost', names: ['localhost'], ips: ['127.0.0.1'] };
  const pair = await authority.issueServer(identity, Date.now());
  ca = authority.caCert;
  const handle: Handle = async (request, response) => {
    response.on('error', () => {});
    await handlers[request.url ?? '']?.(request, response);
  };
  server = createHttpServer({ tls: pair, streamsMax: 100, handle });
  server.on('upgrade', (_request, socket) => {
    socket.end(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nhello',
    );
  });
  await new Promise<void>((done) => void server.listen(0, '127.0.0.1', done));
});

after(async () => {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
  rmSync(folder, { recursive: true, force: true });
});

const portOf = (): number => (server.address() as AddressInfo).port;

async function withClient(run: (client: ClientHttp2Session) => Promise<void>): Promise<void> {
  const client = connectHttp2(`https://localhost:${portOf()}`, { ca });
  try {
    await run(client);
  } finally {
    client.destroy();
  }
}

interface Answer {
  readonly status: unknown;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Buffer;
}

async function answerOf(stream: ClientHttp2Stream): Promise<Answer> {
  const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(piece as Buffer);
  return { status: headers[':status'], headers, body: Buffer.concat(pieces) };
}

for (const size of [0, 1, 16_384, 16_385, 262_144, 3_000_000]) {
  test(`a body of ${size} bytes goes both ways`, async () => {
    await withClient(async (client) => {
      const head = { ':method': 'POST', ':path': '/echo', 'x-sent': 'this' };
      const stream = client.request(head);
      const body = Buffer.alloc(size, 'xyz');
      stream.end(body);
      const { status, headers, body: got } = await answerOf(stream);
      assert.equal(status, 200);
      assert.equal(headers['x-method'], 'POST');
      assert.equal(headers['x-seen'], 'this');
      assert.ok(typeof headers['date'] === 'string');
      assert.ok(got.equals(body));
    });
  });
}

test('many streams of one connection do not get each other’s answers', async () => {
  await withClient(async (client) => {
    const all = Array.from({ length: 90 }, async (_, index) => {
      const stream = client.request({ ':method': 'POST', ':path': '/echo' });
      const body = Buffer.alloc(index * 997, String(index));
      stream.end(body);
      const { body: got } = await answerOf(stream);
      assert.ok(got.equals(body));
    });
    await Promise.all(all);
  });
});

test('a long answer goes whole to a client with small windows, while others are served', async () => {
  const client = connectHttp2(`https://localhost:${portOf()}`, {
    ca,
    settings: { initialWindowSize: 10_000 },
  });
  const long = answerOf(client.request({ ':path': '/large' }));
  const short = client.request({ ':method': 'POST', ':path': '/echo' });
  short.end('short');
  assert.equal((await answerOf(short)).body.toString(), 'short');
  assert.ok((await long).body.equals(large));
  client.destroy();
});

test('what a client does not read waits with its stream, and is gone with it', async () => {
  await withClient(async (client) => {
    const stream = client.request({ ':path': '/waits' });
    await once(stream, 'response');
    stream.pause();
    const response = waiting.at(-1) as ServerResponse;
    const before = closed;
    for (let piece = 0; piece < 10; piece += 1) response.write(Buffer.alloc(200_000));
    // Windows of 64 KiB are full.
    assert.ok(response.writableLength >= 1_800_000);
    stream.close(constants.NGHTTP2_CANCEL);
    await once(response, 'close');
    assert.ok(response.destroyed);
    await until(() => closed === before + 1);
  });
});

test('all answers of a connection end with it', async () => {
  const client = connectHttp2(`https://localhost:${portOf()}`, { ca });
  const before = closed;
  const streams = Array.from({ length: 20 }, () => client.request({ ':path': '/waits' }));
  await Promise.all(streams.map((one) => once(one, 'response')));
  for (const one of streams) one.on('error', () => {});
  client.destroy();
  await until(() => closed === before + 20);
});

/** Of events that this test has caused: each turn of the loop may have brought them. */
async function until(isTrue: () => boolean): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!isTrue()) {
    assert.ok(Date.now() < deadline, 'the condition does not come true');
    await new Promise((done) => setImmediate(done));
  }
}

test('an answer that is broken off is an error of its stream', async () => {
  await withClient(async (client) => {
    const stream = client.request({ ':path': '/broken' });
    await assert.rejects(answerOf(stream), /NGHTTP2_INTERNAL_ERROR/);
  });
});

test('an answer before the end of the body reaches the client', async () => {
  await withClient(async (client) => {
    const stream = client.request({ ':method': 'POST', ':path': '/early' });
    stream.on('error', () => {});
    stream.write('a part of it');
    const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
    assert.equal(headers[':status'], 413);
    stream.resume();
    await once(stream, 'close');
    assert.equal(stream.rstCode, constants.NGHTTP2_NO_ERROR);
  });
});

test('headers are given as node:http gives them', async () => {
  await withClient(async (client) => {
    const stream = client.request({
      ':path': '/headers',
      accept: ['a', 'b'],
      cookie: ['x=1', 'y=2'],
      'impersonate-group': ['one', 'two'],
    });
    const { headers, body } = await answerOf(stream);
    const seen = JSON.parse(body.toString()) as { headers: Record<string, string>; raw: string[] };
    assert.equal(seen.headers['host'], `localhost:${portOf()}`);
    assert.equal(seen.headers['cookie'], 'x=1; y=2');
    assert.equal(seen.headers['accept'], 'a, b');
    assert.equal(seen.raw.filter((one) => one === 'impersonate-group').length, 2);
    assert.deepEqual(headers['set-cookie'], ['a=1', 'b=2']);
    assert.equal(headers['connection'], undefined);
  });
});

test('HEAD has no body, and Expect is answered', async () => {
  await withClient(async (client) => {
    const head = await answerOf(client.request({ ':method': 'HEAD', ':path': '/large' }));
    assert.equal(head.body.length, 0);
    const expecting = client.request({
      ':method': 'POST',
      ':path': '/echo',
      expect: '100-continue',
    });
    await once(expecting, 'continue');
    expecting.end('now');
    assert.equal((await answerOf(expecting)).body.toString(), 'now');
  });
});

test('HTTP/1.1 and upgrades go over the same port', async () => {
  const to = { host: 'localhost', port: portOf(), ca, agent: false };
  const plain = requestHttps({ ...to, path: '/echo', method: 'POST' });
  plain.end('by 1.1');
  const [answer] = (await once(plain, 'response')) as [IncomingMessage];
  assert.equal(answer.httpVersion, '1.1');
  let body = '';
  for await (const piece of answer) body += String(piece);
  assert.equal(body, 'by 1.1');
  const upgrading = requestHttps({ ...to, headers: { connection: 'upgrade', upgrade: 'x' } });
  upgrading.end();
  const [, socket, head] = (await once(upgrading, 'upgrade')) as [unknown, TLSSocket, Buffer];
  let rest = head.toString();
  socket.on('data', (piece: Buffer) => {
    rest += String(piece);
  });
  await once(socket, 'end');
  socket.destroy();
  assert.equal(rest, 'hello');
});

// ---- frames that no client sends ----

const settings = encodeFrame(frameTypes.settings, 0, 0, Buffer.alloc(0));
const hex = (text: string): Buffer => Buffer.from(text, 'hex');
/** GET https / localhost; the path is `/waits`. */
const get = hex('828704062f7761697473410161');
const post = hex('838704052f6563686f410161');
const endBoth = flags.endStream | flags.endHeaders;

function frame(type: number, frameFlags: number, streamId: number, payload: Buffer): Buffer {
  return encodeFrame(type, frameFlags, streamId, payload);
}

const setting = (id: number, value: number): Buffer => {
  const bytes = Buffer.alloc(6);
  bytes.writeUInt16BE(id);
  bytes.writeUInt32BE(value, 2);
  return bytes;
};

interface Outcome {
  readonly goAway?: number;
  readonly reset?: number;
}

const { headers, data, windowUpdate, ping, continuation, rstStream, priority } = frameTypes;
const codes = errorCodes;
const open = frame(headers, flags.endHeaders, 1, post);

const table: readonly (readonly [what: string, sent: readonly Buffer[], outcome: Outcome])[] = [
  ['no settings', [frame(ping, 0, 0, Buffer.alloc(8))], { goAway: codes.protocolError }],
  [
    'a frame that is too long',
    [settings, frame(data, 0, 1, Buffer.alloc(16_385))],
    { goAway: codes.frameSizeError },
  ],
  ['data of no stream', [settings, frame(data, 0, 1, hex('00'))], { goAway: codes.protocolError }],
  [
    'data of the connection',
    [settings, frame(data, 0, 0, hex('00'))],
    { goAway: codes.protocolError },
  ],
  [
    'a stream of the server',
    [settings, frame(headers, endBoth, 2, get)],
    { goAway: codes.protocolError },
  ],
  [
    'an older stream',
    [settings, frame(headers, endBoth, 3, get), frame(headers, endBoth, 1, get)],
    { goAway: codes.streamClosed },
  ],
  [
    'a block that is interrupted',
    [settings, frame(headers, 0, 1, get), frame(ping, 0, 0, Buffer.alloc(8))],
    { goAway: codes.protocolError },
  ],
  [
    'a continuation of nothing',
    [settings, frame(continuation, flags.endHeaders, 1, get)],
    { goAway: codes.protocolError },
  ],
  [
    'continuations without end',
    [
      settings,
      frame(headers, 0, 1, get),
      ...Array.from({ length: 70 }, () => frame(continuation, 0, 1, Buffer.alloc(0))),
    ],
    { goAway: codes.enhanceYourCalm },
  ],
  [
    'a block that nobody can read',
    [settings, frame(headers, endBoth, 1, hex('ffffffffffffffff'))],
    { goAway: codes.compressionError },
  ],
  [
    'settings of a stream',
    [settings, frame(frameTypes.settings, 0, 1, Buffer.alloc(0))],
    { goAway: codes.protocolError },
  ],
  [
    'settings of another size',
    [settings, frame(frameTypes.settings, 0, 0, Buffer.alloc(5))],
    { goAway: codes.frameSizeError },
  ],
  [
    'a window that is too large to begin with',
    [frame(frameTypes.settings, 0, 0, setting(4, 2 ** 31))],
    { goAway: codes.flowControlError },
  ],
  [
    'frames that are too small',
    [frame(frameTypes.settings, 0, 0, setting(5, 100))],
    { goAway: codes.protocolError },
  ],
  [
    'a push',
    [settings, frame(frameTypes.pushPromise, flags.endHeaders, 1, Buffer.alloc(4))],
    { goAway: codes.protocolError },
  ],
  ['a short ping', [settings, frame(ping, 0, 0, hex('00'))], { goAway: codes.frameSizeError }],
  [
    'a window of nothing more',
    [settings, frame(windowUpdate, 0, 0, uint32(0))],
    { goAway: codes.protocolError },
  ],
  [
    'a window beyond all',
    [settings, frame(windowUpdate, 0, 0, uint32(2 ** 31 - 1))],
    { goAway: codes.flowControlError },
  ],
  [
    'a window of a stream beyond all',
    [settings, open, frame(windowUpdate, 0, 1, uint32(2 ** 31 - 1))],
    { reset: codes.flowControlError },
  ],
  [
    'a window of no stream',
    [settings, frame(windowUpdate, 0, 1, uint32(1))],
    { goAway: codes.protocolError },
  ],
  [
    'a reset of no stream',
    [settings, frame(rstStream, 0, 1, uint32(8))],
    { goAway: codes.protocolError },
  ],
  [
    'more padding than frame',
    [settings, open, frame(data, flags.padded, 1, hex('05aabb'))],
    { goAway: codes.protocolError },
  ],
  [
    'a priority of another size',
    [settings, open, frame(priority, 0, 1, Buffer.alloc(4))],
    { reset: codes.frameSizeError },
  ],
  [
    'data behind the end',
    [settings, open, frame(data, flags.endStream, 1, hex('00')), frame(data, 0, 1, hex('00'))],
    { reset: codes.streamClosed },
  ],
  [
    'more data than the window',
    [
      settings,
      frame(headers, flags.endHeaders, 1, hex('838704062f7761697473410161')),
      ...Array.from({ length: 30 }, () => frame(data, 0, 1, Buffer.alloc(16_384))),
    ],
    { reset: codes.flowControlError },
  ],
  [
    'no path',
    [settings, frame(headers, endBoth, 1, hex('8287410161'))],
    { reset: codes.protocolError },
  ],
  [
    'a name in capitals',
    [settings, frame(headers, endBoth, 1, Buffer.concat([get, hex('0001410161')]))],
    { reset: codes.protocolError },
  ],
  [
    'a line break in a value',
    [settings, frame(headers, endBoth, 1, Buffer.concat([get, hex('00016103610a62')]))],
    { reset: codes.protocolError },
  ],
  [
    'a pseudo-header behind others',
    [settings, frame(headers, endBoth, 1, Buffer.concat([get, hex('000161016183')]))],
    { reset: codes.protocolError },
  ],
  [
    'a header of a connection',
    [
      settings,
      frame(
        headers,
        endBoth,
        1,
        Buffer.concat([get, hex('000a'), Buffer.from('connection'), hex('0161')]),
      ),
    ],
    { reset: codes.protocolError },
  ],
  [
    'less body than announced',
    [
      settings,
      frame(headers, flags.endHeaders, 1, Buffer.concat([post, hex('0f0d0135')])),
      frame(data, flags.endStream, 1, hex('0000')),
    ],
    { reset: codes.protocolError },
  ],
];

/** Connects, sends, and resolves with what the server says of it. */
async function outcomeOf(bytes: Buffer): Promise<Outcome> {
  const to = { host: 'localhost', port: portOf(), ca, ALPNProtocols: ['h2'] };
  const socket = connectTls({ ...to, servername: 'localhost' });
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  socket.write(bytes);
  let seen = Buffer.alloc(0);
  try {
    for await (const piece of socket) {
      seen = Buffer.concat([seen, piece as Buffer]);
      for (let at = 0; seen.length >= at + 9;) {
        const length = seen.readUIntBE(at, 3);
        if (seen.length < at + 9 + length) break;
        const type = seen[at + 3];
        if (type === frameTypes.goAway) return { goAway: seen.readUInt32BE(at + 13) };
        if (type === frameTypes.rstStream) return { reset: seen.readUInt32BE(at + 9) };
        at += 9 + length;
      }
    }
  } finally {
    socket.destroy();
  }
  return {};
}

for (const [what, sent, outcome] of table) {
  test(`the server ends what it has to for ${what}`, async () => {
    assert.deepEqual(await outcomeOf(Buffer.concat([Buffer.from(PREFACE), ...sent])), outcome);
  });
}

test('the server ends a connection that begins otherwise', async () => {
  const outcome = await outcomeOf(Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n'));
  assert.deepEqual(outcome, { goAway: codes.protocolError });
});

test('frames are read however they are cut', async () => {
  const to = { host: 'localhost', port: portOf(), ca, ALPNProtocols: ['h2'] };
  const socket = connectTls({ ...to, servername: 'localhost' });
  await once(socket, 'secureConnect');
  const unknown = frame(0x20, 0, 0, Buffer.alloc(12));
  const wanted = frame(ping, 0, 0, Buffer.from('12345678'));
  const all = Buffer.concat([Buffer.from(PREFACE), settings, unknown, wanted]);
  for (const byte of all) {
    socket.write(Buffer.from([byte]));
    await new Promise((done) => setImmediate(done));
  }
  let seen = Buffer.alloc(0);
  for await (const piece of socket) {
    seen = Buffer.concat([seen, piece as Buffer]);
    if (seen.includes('12345678')) break;
  }
  assert.ok(seen.includes(frame(ping, flags.ack, 0, Buffer.from('12345678'))));
  socket.destroy();
});

test('streams beyond the limit are refused', async () => {
  const many = Array.from({ length: 101 }, (_, index) =>
    frame(headers, endBoth, index * 2 + 1, get),
  );
  const outcome = await outcomeOf(Buffer.concat([Buffer.from(PREFACE), settings, ...many]));
  assert.deepEqual(outcome, { reset: codes.refusedStream });
});

test('streams that are reset at once do not go beyond the limit either', async () => {
  const many = Array.from({ length: 400 }, (_, index) => [
    frame(headers, flags.endHeaders, index * 2 + 1, post),
    frame(rstStream, 0, index * 2 + 1, uint32(8)),
  ]).flat();
  const outcome = await outcomeOf(Buffer.concat([Buffer.from(PREFACE), settings, ...many]));
  assert.deepEqual(outcome, { goAway: codes.enhanceYourCalm });
});

// What session.ts relies on when it fills the same memory for the next connection.
test('TLS has what is written to a socket that nothing waits in, also when its reader is slow', async () => {
  const [bytes, rounds] = [Buffer.alloc(192 * 1024), 60];
  let begun = -1;
  const write = (socket: TLSSocket, round: number): void => {
    begun = round;
    if (round === rounds) return void socket.end();
    assert.equal(socket.writableLength, 0);
    socket.write(bytes.fill(round), () => write(socket, round + 1));
    bytes.fill(255);
  };
  server.once('secureConnection', (socket) => setImmediate(() => write(socket, 0)));
  const reader = connectTls({ host: 'localhost', port: portOf(), ca, servername: 'localhost' });
  // Nobody reads until a write takes long.
  for (let [before, turns] = [-1, 0]; turns < 20; turns = begun === before ? turns + 1 : 0) {
    before = begun;
    await new Promise((done) => setImmediate(done));
    if (begun < 0) turns = 0;
  }
  const seen = Buffer.concat((await reader.toArray()) as Buffer[]);
  const wanted = Array.from({ length: rounds }, (_, round) => Buffer.alloc(bytes.length, round));
  assert.ok(seen.equals(Buffer.concat(wanted)));
});
