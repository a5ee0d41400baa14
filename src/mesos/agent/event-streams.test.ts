// Streams of events over real HTTP: in order, cut off when nobody reads, and told of once.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { after, test } from 'node:test';
import type { ExecutorEvent } from '#wire/mesos/v1.ts';
import { EventStreams } from './event-streams.ts';
import { JSON_MEDIA } from './http.ts';

const BYTES_MAX = 256 * 1024;
const responses: ((response: ServerResponse) => void)[] = [];
const server = createServer((_request, response) => responses.shift()?.(response));
server.listen(0, '127.0.0.1');
await once(server, 'listening');
after(() => server.close());

/** A client that has asked for a stream, and the server's side of it. */
async function subscriber(): Promise<{ client: Socket; response: ServerResponse }> {
  const response = new Promise<ServerResponse>((done) => responses.push(done));
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.on('error', () => {});
  client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  return { client, response: await response };
}

function makeStreams(): { streams: EventStreams<ExecutorEvent>; closed: number[] } {
  let connections = 0;
  const streams = new EventStreams<ExecutorEvent>({
    message: 'ExecutorEvent',
    nextConnection: () => (connections += 1),
    waitingBytesMax: BYTES_MAX,
  });
  return { streams, closed: [] };
}

const message = (bytes: number): ExecutorEvent => ({
  type: 'MESSAGE',
  message: { data: new Uint8Array(bytes) },
});

test('who reads nothing is cut off, with bounded memory, and is told of once; others go on', async () => {
  const { streams, closed } = makeStreams();
  const [idle, busy] = [await subscriber(), await subscriber()];
  const onClosed = (connection: number): number => closed.push(connection);
  idle.client.pause();
  const [one, two] = [idle, busy].map(({ response }) =>
    streams.open(response, JSON_MEDIA, {}, onClosed),
  ) as [number, number];
  const gone = once(idle.response, 'close');
  const event = message(16 * 1024);
  const eventBytes = JSON.stringify(event).length * 4;
  let most = 0;
  for (let sent = 0; sent < 2_000; sent += 1) {
    streams.send(one, event);
    most = Math.max(most, idle.response.writableLength);
    // What the kernel takes of it, it takes in between.
    if (sent % 8 === 0) await new Promise((done) => setImmediate(done));
  }
  await gone;
  assert.ok(most < BYTES_MAX + eventBytes, `${most} bytes waited`);
  assert.deepEqual(closed, [one]);
  let text = '';
  busy.client.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  streams.send(two, { type: 'SHUTDOWN' });
  streams.end(two);
  while (!text.includes('SHUTDOWN')) await once(busy.client, 'data');
  busy.client.destroy();
  idle.client.destroy();
});

test('events are in order; after its end nothing is sent; headers are as asked', async () => {
  const { streams, closed } = makeStreams();
  const { client, response } = await subscriber();
  let text = '';
  client.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  const headers = { 'Mesos-Stream-Id': 'abc' };
  const connection = streams.open(response, JSON_MEDIA, headers, (one) => closed.push(one));
  for (const id of ['a', 'b', 'c']) {
    streams.send(connection, { type: 'KILL', kill: { task_id: { value: id } } });
  }
  const gone = once(response, 'close');
  streams.end(connection);
  await gone;
  streams.send(connection, { type: 'SHUTDOWN' });
  client.end();
  await once(client, 'close');
  assert.match(
    text,
    /^HTTP\/1.1 200 OK\r\n[^]*Content-Type: application\/json\r\nMesos-Stream-Id: abc/,
  );
  assert.deepEqual(text.match(/(?<="value":")\w/g), ['a', 'b', 'c']);
  assert.doesNotMatch(text, /SHUTDOWN/);
  assert.deepEqual(closed, [connection]);
});

test('close() ends all of them', async () => {
  const { streams, closed } = makeStreams();
  const { client, response } = await subscriber();
  client.resume();
  streams.open(response, JSON_MEDIA, {}, (one) => closed.push(one));
  const gone = once(client, 'close');
  streams.close();
  await gone;
});
