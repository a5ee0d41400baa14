// What many answers are sent at once, and windows that become smaller meanwhile.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { ClientHttp2Stream } from 'node:http2';
import test from 'node:test';
import type { Http2Response } from '#http2/messages.ts';
import { StreamGroup } from '#http2/stream-group.ts';
import { eventually } from '#test/support/cluster.ts';
import { serveHttp2 } from '#test/support/http2-server.ts';

async function bodyOf(stream: ClientHttp2Stream): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

/** Of this answer alone. */
function groupOf(one: Http2Response): StreamGroup<Http2Response> {
  const { grouped } = one;
  assert.ok(grouped);
  const group = new StreamGroup<Http2Response>(grouped.owner);
  group.add(grouped, one);
  return group;
}

test('what answers share comes in the order it was written, and counts until it has gone', async () => {
  const waiting: ServerResponse[] = [];
  await using served = await serveHttp2(async (_request, response) => {
    response.writeHead(200, {});
    waiting.push(response);
    await once(response, 'close');
  });
  const client = served.connect({ initialWindowSize: 1_000 });
  const streams = [0, 1, 2].map(() => client.request({ ':path': '/' }));
  const answers = streams.map((stream) => bodyOf(stream));
  await eventually('all wait', async () => (waiting.length === 3 ? true : undefined));
  const responses = waiting.splice(0) as unknown as Http2Response[];
  const pieces = Array.from({ length: 20 }, (_, index) => Buffer.alloc(700, `<${index}>`));
  for (const [index, piece] of pieces.entries()) {
    // Every third goes the way of all streams.
    for (const one of responses) {
      if (index % 3 === 2) one.write(piece);
      else if (index > 0) one.writeShared(piece);
      else assert.deepEqual(groupOf(one).send(piece), []);
      // The rest of the window is too small.
      assert.deepEqual(groupOf(one).send(piece), [one]);
    }
  }
  // The first one has room in the window of its stream, and goes with the connection's next write.
  for (const one of responses) assert.equal(one.waitingLength, 13_300);
  responses[0]?.flushConnection();
  for (const one of responses) assert.equal(one.waitingLength, 13_300, 'of the next, a part');
  // The last ones are written while others wait; the end comes behind them.
  for (const one of responses) {
    one.writeShared(Buffer.from('last'));
    one.end();
  }
  for (const answer of answers) {
    assert.equal((await answer).toString(), `${Buffer.concat(pieces).toString()}last`);
  }
  for (const one of responses) assert.equal(one.waitingLength, 0);
  client.destroy();
});

test('a client may make its windows smaller than what it was sent', async () => {
  const large = Buffer.alloc(5_000_000, 'abcdefghij');
  await using served = await serveHttp2(async (_request, response) => {
    response.writeHead(200, {});
    response.end(large);
  });
  const client = served.connect({ initialWindowSize: 50_000 });
  const stream = client.request({ ':path': '/' });
  await once(stream, 'response');
  await once(stream, 'readable');
  client.settings({ initialWindowSize: 1_000 });
  await once(client, 'localSettings');
  assert.ok((await bodyOf(stream)).equals(large));
  client.destroy();
});
