// libprocess over real sockets: order, both ways of naming the sender, broken links, bad requests.
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { connect, createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, test } from 'node:test';
import type { Log } from '#env/env.ts';
import { PortServer } from '#mesos/security/port-server.ts';
import { SYSTEM_TLS } from '#mesos/security/tls-settings.ts';
import { LibprocessEndpoint } from './endpoint.ts';

interface Arrival {
  readonly from: string;
  readonly name: string;
  readonly body: string;
}

class Peer {
  readonly arrivals: Arrival[] = [];
  readonly exited: string[] = [];
  readonly requests: IncomingMessage['headers'][] = [];
  readonly server: Server;
  readonly sockets = new Set<Socket>();
  endpoint!: LibprocessEndpoint;
  #waiters: (() => void)[] = [];

  private constructor() {
    this.server = createServer({ requireHostHeader: false }, (request, response) => {
      this.requests.push(request.headers);
      if (!this.endpoint.handle(request, response)) response.writeHead(418).end();
    });
    this.server.on('connection', (socket) => this.sockets.add(socket));
  }

  static async start(id: string, port = 0): Promise<Peer> {
    const peer = new Peer();
    await new Promise<void>((done) => peer.server.listen(port, '127.0.0.1', done));
    peer.endpoint = new LibprocessEndpoint({
      id,
      address: `127.0.0.1:${peer.port}`,
      bodyBytesMax: 1_000_000,
      onMessage: (from, name, body) => {
        peer.arrivals.push({ from, name, body: Buffer.from(body).toString() });
        peer.#wake();
      },
      onExited: (upid) => {
        peer.exited.push(upid);
        peer.#wake();
      },
    });
    started.push(peer);
    return peer;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  #wake(): void {
    for (const waiter of this.#waiters.splice(0)) waiter();
  }

  async until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) await new Promise<void>((done) => this.#waiters.push(done));
  }

  /** As a crash: every connection breaks, nobody listens any more. */
  async die(): Promise<void> {
    const closed = new Promise((done) => this.server.close(done));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  async close(): Promise<void> {
    this.endpoint.close();
    if (this.server.listening) await this.die();
  }
}

const silent: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silent,
};

const started: Peer[] = [];
afterEach(async () => {
  for (const peer of started.splice(0)) await peer.close();
});

/** Sends raw bytes; gives the status lines of the answers once there are `count`. */
function raw(port: number, text: string, count: number): Promise<string[]> {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text, 'latin1'));
    let answer = '';
    const finish = (): void => {
      const lines = answer.match(/HTTP\/1\.1 \d+/g) ?? [];
      if (lines.length < count && !socket.destroyed) return;
      socket.destroy();
      done(lines.map((line) => line.slice(9)));
    };
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
      finish();
    });
    socket.on('close', finish);
    socket.on('error', () => {});
  });
}

test('messages arrive in the order in which they were sent, each once', async () => {
  const a = await Peer.start('master');
  const b = await Peer.start('slave(1)');
  const sent = Array.from({ length: 500 }, (_, i) => ({
    name: `mesos.internal.M${i}`,
    body: 'x'.repeat((i * 37) % 5_000),
  }));
  for (const { name, body } of sent) a.endpoint.send(b.endpoint.upid, name, Buffer.from(body));
  await b.until(() => b.arrivals.length === sent.length);
  assert.deepEqual(
    b.arrivals,
    sent.map((one) => ({ ...one, from: a.endpoint.upid })),
  );
  assert.equal(b.sockets.size, 1, 'one connection for one peer');
});

test('the headers are those of libprocess', async () => {
  const a = await Peer.start('slave(1)');
  const b = await Peer.start('master');
  a.endpoint.send(b.endpoint.upid, 'mesos.internal.PongSlaveMessage', new Uint8Array());
  await b.until(() => b.arrivals.length === 1);
  const headers = b.requests[0] ?? {};
  assert.equal(headers['user-agent'], `libprocess/slave(1)@127.0.0.1:${a.port}`);
  assert.equal(headers['libprocess-from'], `slave(1)@127.0.0.1:${a.port}`);
  assert.equal(headers.connection?.toLowerCase(), 'keep-alive');
});

test('a sender is known by either header; others are not libprocess', async () => {
  const b = await Peer.start('master');
  const post = (path: string, header: string): string =>
    `POST ${path} HTTP/1.1\r\nHost: \r\n${header}Content-Length: 2\r\n\r\nhi`;
  const statuses = await raw(
    b.port,
    post('/master/a.B', 'Libprocess-From: x@1.2.3.4:5\r\n') +
      post('/master/a.B', 'User-Agent: libprocess/y@1.2.3.4:5\r\n') +
      post('/master/a.B', 'User-Agent: curl\r\n') +
      post('/other/a.B', 'Libprocess-From: x@1.2.3.4:5\r\n') +
      post('/master', 'Libprocess-From: x@1.2.3.4:5\r\n'),
    5,
  );
  assert.deepEqual(statuses, ['202', '202', '418', '404', '418']);
  assert.deepEqual(
    b.arrivals.map(({ from }) => from),
    ['x@1.2.3.4:5', 'y@1.2.3.4:5'],
  );
});

test('an id may come percent-encoded; one that is no text is that of nobody', async () => {
  const b = await Peer.start('slave(1)');
  const from = 'Libprocess-From: x@1.2.3.4:5\r\nHost: \r\nContent-Length: 0\r\n\r\n';
  const statuses = await raw(
    b.port,
    `POST /slave%281%29/a.B HTTP/1.1\r\n${from}POST /%E0%A4%A/a.B HTTP/1.1\r\n${from}`,
    2,
  );
  assert.deepEqual(statuses, ['202', '404']);
});

test('a message longer than allowed ends its connection, not the process', async () => {
  const b = await Peer.start('master');
  const head = 'POST /master/a.B HTTP/1.1\r\nHost: \r\nLibprocess-From: x@1.2.3.4:5\r\n';
  const statuses = await raw(
    b.port,
    `${head}Content-Length: 2000000\r\n\r\n${'x'.repeat(2_000_000)}`,
    1,
  );
  assert.deepEqual(statuses, []);
  assert.deepEqual(b.arrivals, []);
});

test('the end of a linked peer is told once; messages to it are lost; a new one is reached', async () => {
  const a = await Peer.start('master');
  const b = await Peer.start('slave(1)');
  const upid = b.endpoint.upid;
  const port = b.port;
  a.endpoint.link(upid);
  a.endpoint.send(upid, 'one', Buffer.from('1'));
  await b.until(() => b.arrivals.length === 1);
  await b.die();
  await a.until(() => a.exited.length === 1);
  assert.deepEqual(a.exited, [upid]);
  a.endpoint.link(upid);
  await a.until(() => a.exited.length === 2);

  const again = await Peer.start('slave(1)', port);
  a.endpoint.send(upid, 'two', Buffer.from('2'));
  await again.until(() => again.arrivals.length === 1);
  assert.equal(again.arrivals[0]?.name, 'two');
  assert.equal(a.exited.length, 2);
});

test('a peer that is not watched ends in silence', async () => {
  const a = await Peer.start('master');
  const b = await Peer.start('slave(1)');
  const c = await Peer.start('slave(2)');
  a.endpoint.link(b.endpoint.upid);
  a.endpoint.link(c.endpoint.upid);
  a.endpoint.unlink(b.endpoint.upid);
  await b.die();
  await c.die();
  await a.until(() => a.exited.length > 0);
  assert.deepEqual(a.exited, [c.endpoint.upid]);
});

test('a sender that cannot be answered is not heard, and nothing is written to such an address', async () => {
  const peer = await Peer.start('master');
  const senders = [
    'slave(1)@127.0.0.1:99999',
    '@',
    'x',
    'a b@127.0.0.1:5051',
    'slave(1)@127.0.0.1:0',
  ];
  for (const from of [...senders, 'slave(1)@127.0.0.1:5051']) {
    const answer = await fetch(`http://127.0.0.1:${peer.port}/master/Hello`, {
      method: 'POST',
      headers: { 'Libprocess-From': from },
    });
    assert.equal(answer.status, 202);
  }
  assert.deepEqual(
    peer.arrivals.map(({ from }) => from),
    ['slave(1)@127.0.0.1:5051'],
  );
  for (const to of [...senders, 'x HTTP/1.1\r\nHost: y\r\n\r\n@127.0.0.1:5051']) {
    peer.endpoint.link(to);
    peer.endpoint.send(to, 'Hello', new Uint8Array());
  }
});

test('what libprocess sends is read without HTTP and not answered; HTTP on the same connection is', async () => {
  const server = new PortServer({ requireHostHeader: false }, undefined, silent);
  const a = await Peer.start('slave(1)');
  const port = await server.listen({ host: '127.0.0.1', port: 0 });
  const arrived: string[] = [];
  const endpoint = new LibprocessEndpoint({
    id: 'master',
    address: `127.0.0.1:${port}`,
    bodyBytesMax: 1_000,
    onMessage: (from, name, body, connection) => {
      arrived.push(`${from} ${name} ${Buffer.from(body).toString()} ${connection}`);
    },
    onExited: () => {},
  });
  let requests = 0;
  server.onRequest((request, response) => {
    requests += 1;
    if (!endpoint.handle(request, response)) response.writeHead(418).end();
  });
  server.onConnection((socket, first, giveBack) => endpoint.accept(socket, first, giveBack));
  const from = `slave(1)@127.0.0.1:${a.port}`;
  const head = `Host: \r\nLibprocess-From: ${from}\r\n`;
  const known = `User-Agent: libprocess/${from}\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n`;
  const other = `POST /other/a.B HTTP/1.1\r\n${head}${known}`;
  const text =
    `POST /master/a.B HTTP/1.1\r\n${head}${known}${other}` +
    `GET /health HTTP/1.1\r\n${head}\r\n` +
    `POST /master/a.C HTTP/1.1\r\n${head}Content-Length: 2\r\n\r\nho`;
  assert.deepEqual(await raw(port, text, 2), ['418', '202']);
  assert.deepEqual(arrived, [`${from} a.B hi 1`, `${from} a.C ho 1`]);
  assert.equal(requests, 2);
  assert.deepEqual(await raw(port, `POST /master/a.B HTTP/1.1\r\n${head}${known}x\r\n\r\n`, 1), [
    '400',
  ]);
  const long = `User-Agent: libprocess/${from}\r\nContent-Length: 2000\r\n\r\n`;
  assert.deepEqual(await raw(port, `POST /master/a.B HTTP/1.1\r\n${head}${long}`, 1), []);
  const open = connect(port, '127.0.0.1', () => open.end());
  await new Promise((done) => open.resume().once('close', done));
  endpoint.close();
  await server.close();
});

/** As in a cluster that is being upgraded: by TLS, or without where a peer does not speak it. */
function bothWays(onExited: (upid: string) => void): LibprocessEndpoint {
  return new LibprocessEndpoint({
    id: 'both',
    address: '127.0.0.1:1',
    bodyBytesMax: 1_000,
    tls: { ...SYSTEM_TLS, supportsDowngrade: true, verifiesServer: false },
    onMessage: () => {},
    onExited,
  });
}

test('a peer that may or may not speak TLS, and is gone, breaks nothing but its link', async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  const endpoint = bothWays(resolve);
  const gone = await Peer.start('gone');
  const { port } = gone;
  await gone.close();
  for (let times = 0; times < 20; times++)
    endpoint.send(`a@127.0.0.1:${port}`, 'X', Buffer.alloc(1));
  endpoint.link(`gone@127.0.0.1:${port}`);
  assert.equal(await promise, `gone@127.0.0.1:${port}`);
  endpoint.close();
});

for (const moment of ['connects', 'has said hello'] as const) {
  test(`one that breaks the connection when the other ${moment} breaks nothing but its link`, async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const endpoint = bothWays(resolve);
    const server = createTcpServer((socket) => {
      socket.on('error', () => {});
      if (moment === 'connects') socket.resetAndDestroy();
      else socket.once('data', () => socket.resetAndDestroy());
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const upid = `breaks@127.0.0.1:${(server.address() as AddressInfo).port}`;
    endpoint.link(upid);
    endpoint.send(upid, 'X', Buffer.alloc(1));
    assert.equal(await promise, upid);
    endpoint.close();
    server.close();
  });
}

test('one that speaks no TLS gets what was sent meanwhile, in order', async () => {
  const endpoint = bothWays(() => {});
  const plain = await Peer.start('plain');
  for (const name of ['A', 'B', 'C'])
    endpoint.send(`plain@127.0.0.1:${plain.port}`, name, Buffer.of());
  await plain.until(() => plain.arrivals.length === 3);
  assert.deepEqual(
    plain.arrivals.map(({ name }) => name),
    ['A', 'B', 'C'],
  );
  endpoint.close();
});
