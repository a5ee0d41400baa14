// Exec and port-forward over every transport that clients use, spoken by this side's own client.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import type { IncomingMessage, Server } from 'node:http';
import { connect, createServer as createTcpServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { Duplex } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import test from 'node:test';
import { constants, inflateSync } from 'node:zlib';
import * as fc from 'fast-check';
import { WebSocket } from 'ws';
import { dialIn } from '#kube/node/process-dial.ts';
import { servePortForward } from './port-forward.ts';
import { serveRemoteCommand } from './remote-command.ts';
import type { RemoteCommandOptions, RemoteHandler } from './remote-command.ts';
import { SpdyConnection } from './spdy-connection.ts';
import {
  headerBlock,
  FrameDecoder,
  HeaderWriter,
  dataFrame,
  parseHeaderBlock,
  synStream,
} from './spdy-frames.ts';
import { spdyDictionary } from './spdy-dictionary.ts';
import type { UpgradeRequest } from './upgrade.ts';

class TestServer implements AsyncDisposable {
  readonly #server: Server = createServer();
  readonly #sockets = new Set<Duplex>();
  port = 0;

  static async start(serve: (upgrade: UpgradeRequest) => Promise<void>): Promise<TestServer> {
    const made = new TestServer();
    made.#server.on('upgrade', (request, socket, head) => {
      made.#sockets.add(socket);
      socket.on('error', () => {});
      void serve({ request, socket, head });
    });
    await new Promise<void>((done) => made.#server.listen(0, '127.0.0.1', done));
    made.port = (made.#server.address() as AddressInfo).port;
    return made;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((done) => this.#server.close(done));
  }

  upgradeSpdy(protocols: readonly string[]): Promise<{ socket: Duplex; protocol: unknown }> {
    return new Promise((done, fail) => {
      const sent = httpRequest({
        port: this.port,
        method: 'POST',
        headers: {
          Connection: 'Upgrade',
          Upgrade: 'SPDY/3.1',
          'X-Stream-Protocol-Version': [...protocols],
        },
      });
      sent.on('error', fail);
      sent.on('response', (response) => fail(new Error(`status ${response.statusCode}`)));
      sent.on('upgrade', (response, socket, head) => {
        if (head.length > 0) socket.unshift(head);
        done({ socket, protocol: response.headers['x-stream-protocol-version'] });
      });
      sent.end();
    });
  }

  /** By hand: `ws` refuses to ask for a subprotocol with a slash in its name. */
  async upgradeTunnel(protocol: string): Promise<Duplex> {
    const sent = httpRequest({
      port: this.port,
      headers: {
        Connection: 'Upgrade',
        Upgrade: 'websocket',
        'Sec-WebSocket-Key': Buffer.alloc(16, 'k').toString('base64'),
        'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Protocol': protocol,
      },
    });
    sent.end();
    const [response, socket] = (await once(sent, 'upgrade')) as [IncomingMessage, Duplex];
    assert.equal(response.headers['sec-websocket-protocol'], protocol);
    return frameDuplex(socket);
  }

  upgradeWebSocket(protocol: string): Promise<WebSocket> {
    const webSocket = new WebSocket(`ws://127.0.0.1:${this.port}/`, [protocol]);
    return new Promise((done, fail) => {
      webSocket.once('open', () => done(webSocket));
      webSocket.once('error', fail);
    });
  }
}

/** The client's side of a websocket of binary messages, with a mask of zeros. */
function frameDuplex(socket: Duplex): Duplex {
  let rest = Buffer.alloc(0);
  const duplex = new Duplex({
    read: () => {},
    write: (chunk: Buffer, _encoding, done) => {
      const head = Buffer.alloc(14);
      head.writeUInt8(0x82, 0);
      head.writeUInt8(0x80 | 127, 1);
      head.writeBigUInt64BE(BigInt(chunk.length), 2);
      socket.write(Buffer.concat([head, chunk]), () => done());
    },
  });
  socket.on('data', (bytes: Buffer) => {
    rest = Buffer.concat([rest, bytes]);
    while (rest.length >= 4) {
      const short = (rest[1] ?? 0) & 127;
      assert.ok(short < 127, 'the server sends small messages here');
      const [begin, length] = short < 126 ? [2, short] : [4, rest.readUInt16BE(2)];
      if (rest.length < begin + length) return;
      duplex.push(rest.subarray(begin, begin + length));
      rest = rest.subarray(begin + length);
    }
  });
  socket.on('close', () => duplex.push(null));
  return duplex;
}

const all: RemoteCommandOptions = { stdin: true, stdout: true, stderr: true, tty: true };

/** Sends its input back, tells the first terminal size on stderr, ends with 7. */
const echo: RemoteHandler = async ({ stdin, stdout, stderr, onResize }) => {
  const sized = new Promise<string>((done) => {
    onResize(({ columns, rows }) => done(`${columns}x${rows}`));
  });
  if (stdin !== undefined && stdout !== undefined) {
    for await (const chunk of stdin) stdout.write(chunk);
  }
  stderr?.write(await sized);
  return { exitCode: 7 };
};

function exitCodeOf(status: string): unknown {
  const { reason, details } = JSON.parse(status) as {
    reason: string;
    details: { causes: { reason: string; message: string }[] };
  };
  assert.equal(reason, 'NonZeroExitCode');
  return details.causes[0]?.message;
}

test('serveRemoteCommand() over SPDY carries input, outputs, size and exit code', async () => {
  await using server = await TestServer.start((upgrade) => serveRemoteCommand(upgrade, all, echo));
  const { socket, protocol } = await server.upgradeSpdy(['v4.channel.k8s.io', 'v1.channel.k8s.io']);
  assert.equal(protocol, 'v4.channel.k8s.io');
  const client = new SpdyConnection(socket, { role: 'client' });
  const open = (streamtype: string) => client.open({ streamtype });
  const error = await open('error');
  const stdin = await open('stdin');
  const stdout = await open('stdout');
  const stderr = await open('stderr');
  const resize = await open('resize');
  const big = Buffer.alloc(300_000, 'x');
  resize.write('{"Width":120,"Height":40}\n');
  stdin.write('hello ');
  stdin.end(big);
  const output = await buffer(stdout);
  assert.equal(output.length, 6 + big.length);
  assert.equal(await text(stderr), '120x40');
  assert.equal(exitCodeOf(await text(error)), '7');
});

for (const protocol of ['v5.channel.k8s.io', 'v4.channel.k8s.io', 'v4.base64.channel.k8s.io']) {
  test(`serveRemoteCommand() over a websocket speaks ${protocol}`, async () => {
    const isBase64 = protocol.includes('base64');
    // Only version 5 can end the input.
    const handler: RemoteHandler =
      protocol === 'v5.channel.k8s.io'
        ? echo
        : async ({ stdin, stdout, stderr, onResize }) => {
            const size = new Promise<string>((done) => {
              onResize(({ columns, rows }) => done(`${columns}x${rows}`));
            });
            const [chunk] = (await stdin?.take(1).toArray()) ?? [];
            stdout?.write(chunk);
            stderr?.write(await size);
            return { exitCode: 7 };
          };
    await using server = await TestServer.start((upgrade) =>
      serveRemoteCommand(upgrade, all, handler),
    );
    const webSocket = await server.upgradeWebSocket(protocol);
    const seen = ['', '', '', '', ''];
    webSocket.on('message', (data: Buffer) => {
      const channel = isBase64 ? (data[0] ?? 0) - 48 : (data[0] ?? 0);
      const rest = data.subarray(1);
      seen[channel] += isBase64
        ? Buffer.from(rest.toString(), 'base64').toString()
        : rest.toString();
    });
    const closed = new Promise((done) => webSocket.once('close', done));
    const send = (channel: number, body: string | Buffer): void => {
      const bytes = Buffer.from(body);
      if (isBase64) webSocket.send(`${channel}${bytes.toString('base64')}`);
      else webSocket.send(Buffer.concat([Buffer.from([channel]), bytes]));
    };
    send(4, '{"Width":80,"Height":24}');
    send(0, 'typed');
    if (protocol === 'v5.channel.k8s.io') send(255, Buffer.from([0]));
    await closed;
    assert.equal(seen[1], 'typed');
    assert.equal(seen[2], '80x24');
    assert.equal(exitCodeOf(seen[3] ?? ''), '7');
  });
}

test('serveRemoteCommand() refuses clients with which it shares no protocol', async () => {
  await using server = await TestServer.start((upgrade) => serveRemoteCommand(upgrade, all, echo));
  await assert.rejects(server.upgradeSpdy(['v9.channel.k8s.io']), /status 403/);
  await assert.rejects(server.upgradeWebSocket('v9.channel.k8s.io'), /400/);
});

async function withEchoPort(run: (port: number) => Promise<void>): Promise<void> {
  const target = createTcpServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));
  await new Promise<void>((done) => target.listen(0, '127.0.0.1', done));
  try {
    await run((target.address() as AddressInfo).port);
  } finally {
    await new Promise((done) => target.close(done));
  }
}

const dial = (port: number): Promise<Duplex> =>
  dialIn(connect({ host: '127.0.0.1', port, allowHalfOpen: true }));

async function forwardOnce(under: Duplex, port: number, requestid: string): Promise<string> {
  const client = new SpdyConnection(under, { role: 'client' });
  const headers = { port: String(port), requestid };
  const error = await client.open({ ...headers, streamtype: 'error' });
  const data = await client.open({ ...headers, streamtype: 'data' });
  error.end();
  data.end('ping');
  const [answer, failure] = await Promise.all([text(data), text(error)]);
  client.close();
  return answer + failure;
}

test('servePortForward() joins ports over SPDY and through a websocket tunnel', async () => {
  await using server = await TestServer.start((upgrade) => servePortForward(upgrade, dial, []));
  await withEchoPort(async (port) => {
    const { socket } = await server.upgradeSpdy(['portforward.k8s.io']);
    assert.equal(await forwardOnce(socket, port, '0'), 'ping');
    const tunnel = await server.upgradeTunnel('SPDY/3.1+portforward.k8s.io');
    assert.equal(await forwardOnce(tunnel, port, '0'), 'ping');
  });
  const { socket } = await server.upgradeSpdy(['portforward.k8s.io']);
  assert.match(await forwardOnce(socket, 1, '0'), /error forwarding port 1 to pod: Cannot connect/);
});

test('parseHeaderBlock keeps a header of any name', () => {
  const headers = Object.fromEntries([
    ['__proto__', 'x'],
    ['constructor', 'y'],
  ]);
  assert.deepEqual(Object.entries(parseHeaderBlock(headerBlock(headers))), Object.entries(headers));
});

test('HeaderWriter writes what any zlib reads', () => {
  const dictionary = spdyDictionary();
  const anyText = fc.string({ minLength: 1 });
  const headers = fc.dictionary(
    anyText.map((name) => name.toLowerCase()),
    anyText,
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(fc.array(headers, { minLength: 1, maxLength: 5 }), (list) => {
      const writer = new HeaderWriter(dictionary);
      const compressed = Buffer.concat(list.map((each) => writer.write(each)));
      let plain = inflateSync(compressed, { dictionary, finishFlush: constants.Z_SYNC_FLUSH });
      for (const each of list) {
        const parsed = parseHeaderBlock(plain);
        assert.deepEqual({ ...parsed }, { ...each });
        const size = new HeaderWriter(dictionary).write(each).length - 6 - 10;
        plain = plain.subarray(size);
      }
    }),
  );
});

test('FrameDecoder.push() gives the same frames however the bytes are cut', () => {
  const bytes = Buffer.concat([
    synStream(1, Buffer.from('block')),
    dataFrame(1, Buffer.from('hello'), false),
    dataFrame(1, Buffer.alloc(0), true),
  ]);
  const whole = JSON.stringify(new FrameDecoder().push(bytes));
  fc.assert(
    fc.property(fc.array(fc.nat(bytes.length), { maxLength: 6 }), (cuts) => {
      const decoder = new FrameDecoder();
      const places = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
      const frames = places.slice(1).flatMap((to, index) => {
        return decoder.push(bytes.subarray(places[index], to));
      });
      assert.equal(JSON.stringify(frames), whole);
    }),
  );
});
