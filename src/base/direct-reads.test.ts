// Bytes read past the stream are those that a listener of `data` gets, in the same order, also where the socket
// is paused in between.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { test } from 'node:test';
import { readDirectly } from './direct-reads.ts';

/** Both ends of a connection; the second one has been read once, as a port's are. */
async function pair(): Promise<{ client: Socket; served: Socket; close: () => void }> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const { port } = server.address() as AddressInfo;
  const client = connect({ port, host: '127.0.0.1' });
  const [served] = await accepted;
  const first = once(served, 'data');
  client.write('first');
  await first;
  const close = (): void => {
    client.destroy();
    server.close();
  };
  return { client, served, close };
}

test('all bytes come once and in order, whatever is paused, and the end behind them', async () => {
  const { client, served, close } = await pair();
  const sent = Buffer.alloc(2_000_000, 0).map((_zero, at) => at % 251);
  const read: Buffer[] = [];
  readDirectly(served, (chunk) => {
    read.push(chunk);
    // Two chunks in three find it paused, some of them while it resumes.
    if (read.length % 3 === 0) return;
    served.pause();
    setImmediate(() => served.resume());
  });
  const ended = once(served, 'end');
  client.end(sent);
  await ended;
  assert.ok(read.length > 3);
  assert.deepEqual(Buffer.concat(read), Buffer.from(sent));
  close();
});

test('once it is over, what comes is for the listeners of the stream', async () => {
  const { client, served, close } = await pair();
  let direct = '';
  const done = Promise.withResolvers<void>();
  const stop = readDirectly(served, (chunk) => {
    direct += String(chunk);
    done.resolve();
  });
  client.write('mine');
  await done.promise;
  stop();
  const next = once(served, 'data');
  client.write('yours');
  assert.equal(String((await next)[0]), 'yours');
  assert.equal(direct, 'mine');
  close();
});
