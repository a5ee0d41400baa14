// What the client does again, and what it does not: a transaction whose answer is lost may have been made.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttp2, constants, type ServerHttp2Stream } from 'node:http2';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { faultCode } from '#base/fault.ts';
import { EtcdClient, type EtcdTxnRequest } from './etcd-client.ts';

type Answer = (stream: ServerHttp2Stream) => void;

/** A member that gets whole requests and treats each as it is told to. */
class Member implements AsyncDisposable {
  readonly asked: string[] = [];
  readonly #server = createHttp2();
  readonly #sockets = new Set<Socket>();

  static async start(answer: Answer, path?: string): Promise<Member> {
    const member = new Member();
    member.#server.on('connection', (socket: Socket) => member.#sockets.add(socket));
    member.#server.on('stream', (stream: ServerHttp2Stream, headers) => {
      stream.on('error', () => {});
      stream.resume();
      stream.on('end', () => {
        member.asked.push(String(headers[':path']).split('/').at(-1) ?? '');
        answer(stream);
      });
    });
    await new Promise<void>((done) => {
      if (path === undefined) member.#server.listen(0, '127.0.0.1', done);
      else member.#server.listen(path, done);
    });
    return member;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((done) => this.#server.close(done));
  }
}

/** The connection ends with the request in the member's hands. */
const drop: Answer = (stream) => stream.session?.socket.destroy();
const respond =
  (code: number, message = '', body = Buffer.alloc(5)): Answer =>
  (stream) => {
    stream.respond(
      { ':status': 200, 'content-type': 'application/grpc' },
      { waitForTrailers: true },
    );
    stream.on('wantTrailers', () =>
      stream.sendTrailers({ 'grpc-status': String(code), 'grpc-message': message }),
    );
    if (code === 0) stream.write(body);
    stream.end();
  };

const put: EtcdTxnRequest = {
  compare: [],
  success: [{ put: { key: Buffer.from('/a'), value: Buffer.from('1') } }],
  failure: [],
};

/** An address where nobody listens. */
async function nobody(): Promise<string> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  await new Promise((done) => connect(port, '127.0.0.1').once('error', done));
  return `http://127.0.0.1:${port}`;
}

const UNAVAILABLE = 14;

for (const [what, answer] of [
  ['the connection ends before the answer', drop],
  ['the member says that it has no leader', respond(UNAVAILABLE, 'etcdserver: no leader')],
  ['the member ran out of time', respond(UNAVAILABLE, 'etcdserver: request timed out')],
  // Words that a proxy or a later etcd may choose are no proof that nothing was done.
  ['somebody says ECONNREFUSED', respond(UNAVAILABLE, 'upstream: ECONNREFUSED')],
] as const) {
  test(`a transaction is asked for once when ${what}; a read of every member`, async () => {
    await using first = await Member.start(answer);
    await using second = await Member.start(answer);
    const client = new EtcdClient({ endpoints: [first.url, second.url] });
    const isUnavailable = (error: unknown) => faultCode(error) === 'store-unavailable';
    await assert.rejects(client.txn(put), isUnavailable);
    assert.deepEqual([...first.asked, ...second.asked], ['Txn']);
    await assert.rejects(client.range({ key: Buffer.from('/a') }), isUnavailable);
    assert.ok(first.asked.includes('Range') && second.asked.includes('Range'));
    client.close();
  });
}

test('a member may listen on a socket file, as etcd can', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'etcd-socket-'));
  try {
    const path = join(folder, 'etcd.sock');
    await using member = await Member.start(respond(0), path);
    const client = new EtcdClient({ endpoints: [`unix://${path}`] });
    await client.txn(put);
    assert.deepEqual(member.asked, ['Txn']);
    client.close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('a transaction goes to the next member where nobody listens', async () => {
  await using well = await Member.start(respond(0));
  const client = new EtcdClient({ endpoints: [await nobody(), well.url] });
  await client.txn(put);
  assert.deepEqual(well.asked, ['Txn']);
  client.close();
});

test('a transaction whose stream is refused is asked for again, by the gRPC library, once', async () => {
  await using refusing = await Member.start((stream) =>
    stream.close(constants.NGHTTP2_REFUSED_STREAM),
  );
  const client = new EtcdClient({ endpoints: [refusing.url] });
  await assert.rejects(client.txn(put), (error) => faultCode(error) === 'store-unavailable');
  assert.deepEqual(refusing.asked, ['Txn', 'Txn']);
  client.close();
});
