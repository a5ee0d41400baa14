// The end of an HTTP server of ours, as its clients see it: what is under way is answered whole, nothing else is
// taken, and whoever has more to ask goes elsewhere.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { Agent, request as requestHttps, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { encodeFrame, errorCodes, flags, frameTypes, PREFACE } from '#http2/frames.ts';
import { OpenConnections } from '#http2/open-connections.ts';
import { createHttpServer } from '#http2/server.ts';
import { Http2Transport } from '#kube/client/http2-transport.ts';
import { Authority, type KeyPair } from '#kube/pki/authority.ts';

let folder: string;
let ca: string;
let tls: KeyPair;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'strata-http2-end-'));
  const authority = await Authority.open(folder, Date.now());
  const identity = { commonName: 'localhost', names: ['localhost'], ips: ['127.0.0.1'] };
  tls = await authority.issueServer(identity, Date.now());
  ca = authority.caCert;
});

after(() => rmSync(folder, { recursive: true, force: true }));

interface Served {
  readonly server: Server;
  readonly open: OpenConnections;
  readonly port: number;
  /** Of /held, as they come: nobody has answered them yet. */
  held(): Promise<ServerResponse>;
  close(): Promise<void>;
}

const LARGE = Buffer.alloc(3_000_000, 'abcdefghij');

async function serve(name: string, port = 0): Promise<Served> {
  const open = new OpenConnections();
  const waiting: ServerResponse[] = [];
  let wake: () => void = () => {};
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    response.on('error', () => {});
    if (request.url !== '/held') return void response.end(name);
    waiting.push(response);
    wake();
  };
  const server = createHttpServer({ tls, streamsMax: 100, handle, open });
  await new Promise<void>((done) => void server.listen(port, '127.0.0.1', done));
  return {
    server,
    open,
    port: (server.address() as AddressInfo).port,
    async held() {
      while (waiting.length === 0) await new Promise<void>((done) => (wake = done));
      return waiting.shift() as ServerResponse;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

async function withServer(run: (served: Served) => Promise<void>): Promise<void> {
  const served = await serve('first');
  try {
    await run(served);
  } finally {
    await served.close();
  }
}

function clientOf({ port }: Served): ClientHttp2Session {
  const client = connectHttp2(`https://localhost:${port}`, { ca });
  client.on('error', () => {});
  return client;
}

async function bodyOf(stream: AsyncIterable<unknown>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

test('a stream under way is answered whole, then its connection ends', async () => {
  await withServer(async (served) => {
    const client = clientOf(served);
    const closed = once(client, 'close');
    const stream = client.request({ ':path': '/held' });
    const response = await served.held();
    const told = once(client, 'goaway');
    let isOver = false;
    const ended = served.open.end().then(() => (isOver = true));
    const [code, lastId] = await told;
    assert.deepEqual([code, lastId], [errorCodes.noError, stream.id]);
    assert.equal(isOver, false);
    response.end(LARGE);
    assert.ok((await bodyOf(stream)).equals(LARGE));
    await ended;
    await closed;
  });
});

test('a stream that its client gives up is not waited for', async () => {
  await withServer(async (served) => {
    const client = clientOf(served);
    const closed = once(client, 'close');
    const stream = client.request({ ':path': '/held' });
    stream.on('error', () => {});
    await served.held();
    const told = once(client, 'goaway');
    const ended = served.open.end();
    await told;
    stream.close();
    await ended;
    await closed;
  });
});

test('connections that nothing is under way on end at once', async () => {
  await withServer(async (served) => {
    const clients = [clientOf(served), clientOf(served)];
    const closed = clients.map(async (client) => await once(client, 'close'));
    for (const client of clients) {
      const stream = client.request({ ':path': '/' });
      assert.equal(String(await bodyOf(stream)), 'first');
    }
    await served.open.end();
    await Promise.all(closed);
  });
});

test('a stream that begins after it is refused, and not carried out', async () => {
  await withServer(async (served) => {
    const socket = connectTls({ host: 'localhost', port: served.port, ca, ALPNProtocols: ['h2'] });
    await once(socket, 'secureConnect');
    const ask = (id: number): Buffer => {
      const head = [0x82, 0x87, 0x04, 5, ...Buffer.from('/held'), 0x01, 1, 0x61];
      const frameFlags = flags.endHeaders | flags.endStream;
      return encodeFrame(frameTypes.headers, frameFlags, id, Buffer.from(head));
    };
    const settings = encodeFrame(frameTypes.settings, 0, 0, Buffer.alloc(0));
    socket.write(Buffer.concat([Buffer.from(PREFACE), settings, ask(1)]));
    const response = await served.held();
    const all = bodyOf(socket);
    const ended = served.open.end();
    socket.write(ask(3));
    // Behind what is asked for: once it has been answered, so has all before.
    socket.write(encodeFrame(frameTypes.ping, 0, 0, Buffer.alloc(8)));
    await new Promise<void>((done) => {
      let got = Buffer.alloc(0);
      socket.on('data', (piece: Buffer) => {
        got = Buffer.concat([got, piece]);
        if (framesOf(got).some(({ type }) => type === frameTypes.ping)) done();
      });
    });
    response.end('whole');
    const frames = framesOf(await all).filter(({ type }) =>
      [frameTypes.goAway, frameTypes.rstStream, frameTypes.data].includes(type as never),
    );
    const shown = frames.map(({ type, id, payload }) => [type, id, payload.toString('latin1')]);
    assert.deepEqual(shown, [
      [frameTypes.goAway, 0, '\0\0\0\u0001\0\0\0\0'],
      [frameTypes.rstStream, 3, `\0\0\0${String.fromCodePoint(errorCodes.refusedStream)}`],
      [frameTypes.data, 1, 'whole'],
    ]);
    await ended;
    socket.destroy();
  });
});

function framesOf(bytes: Buffer): { type: number; id: number; payload: Buffer }[] {
  const frames: { type: number; id: number; payload: Buffer }[] = [];
  for (let at = 0; at + 9 <= bytes.length;) {
    const to = at + 9 + bytes.readUIntBE(at, 3);
    if (to > bytes.length) break;
    const id = bytes.readUInt32BE(at + 5);
    frames.push({ type: bytes.readUInt8(at + 3), id, payload: bytes.subarray(at + 9, to) });
    at = to;
  }
  return frames;
}

test('an answer of HTTP/1.1 is the last of its connection', async () => {
  await withServer(async (served) => {
    const agent = new Agent({ keepAlive: true, ca });
    const to = { host: 'localhost', port: served.port, agent };
    const asked = requestHttps({ ...to, path: '/held' });
    asked.end();
    const response = await served.held();
    const ended = served.open.end();
    response.end('whole');
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    assert.equal(answer.headers.connection, 'close');
    assert.equal(String(await bodyOf(answer)), 'whole');
    await ended;
    agent.destroy();
  });
});

test('a client of ours has its answer, and asks another server for the next', async () => {
  await withServer(async (served) => {
    const access = { server: `https://localhost:${served.port}`, caPem: ca };
    const transport = new Http2Transport(access, 'test');
    const first = transport.send({ method: 'GET', path: '/held' });
    const response = await served.held();
    const isDeaf = new Promise((done) => served.server.close(done));
    const ended = served.open.end();
    const next = await serve('second', served.port);
    try {
      const second = await transport.send({ method: 'POST', path: '/', body: '{}' });
      assert.equal(second.text, 'second');
      response.end('late');
      assert.equal((await first).text, 'late');
      await ended;
      await isDeaf;
    } finally {
      await transport.close();
      await next.close();
    }
  });
});
