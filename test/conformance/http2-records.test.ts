// How a long answer lies in records of TLS, as whoever reads record by record sees it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { connect } from 'node:tls';
import {
  encodeFrame,
  flags,
  FRAME_HEADER_BYTES,
  frameTypes,
  PREFACE,
  settingIds,
  uint32,
  WINDOW_MAX,
} from '#http2/frames.ts';
import { encodeHeaders } from '#http2/hpack-encoder.ts';
import { createHttpServer } from '#http2/server.ts';
import { Authority } from '#kube/pki/authority.ts';

const answers: Record<string, (response: ServerResponse) => void> = {
  '/whole': (response) => response.end(Buffer.alloc(1_000_000, 'whole')),
  // All but the first wait for it, and go together.
  '/pieces': (response) => {
    for (let piece = 0; piece < 8; piece += 1) response.write(Buffer.alloc(99_999, String(piece)));
    response.end(Buffer.alloc(200_008, 'end'));
  },
  '/pieces-then-end': (response) => {
    for (let piece = 0; piece < 10; piece += 1) response.write(Buffer.alloc(100_000, 'x'));
    response.write('');
    response.end();
  },
};

let server: Server;
let folder: string;
let ca: string;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'strata-records-'));
  const authority = await Authority.open(folder, Date.now());
  const identity = { commonName: 'localhost', names: ['localhost'], ips: ['127.0.0.1'] };
  const pair = await authority.issueServer(identity, Date.now());
  ca = authority.caCert;
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    response.writeHead(200, { 'Content-Type': 'text/plain' });
    answers[request.url ?? '']?.(response);
  };
  server = createHttpServer({ tls: pair, streamsMax: 100, handle });
  await new Promise<void>((done) => void server.listen(0, '127.0.0.1', done));
});

after(async () => {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
  rmSync(folder, { recursive: true, force: true });
});

function window(bytes: number): Buffer {
  const setting = Buffer.alloc(6);
  setting.writeUInt16BE(settingIds.initialWindowSize);
  setting.writeUInt32BE(bytes, 2);
  return encodeFrame(frameTypes.settings, 0, 0, setting);
}

interface Read {
  readonly bytes: number;
  /** Frames of data. */
  readonly frames: number;
  /** Records that do not end where a frame does. */
  readonly torn: number;
  /** Whether the stream ends with a frame that has nothing in it. */
  readonly endsEmpty: boolean;
}

async function read(path: string): Promise<Read> {
  const { port } = server.address() as AddressInfo;
  const to = { host: 'localhost', port, ca, ALPNProtocols: ['h2'], servername: 'localhost' };
  const socket = connect(to);
  await once(socket, 'secureConnect');
  const head = [':method', 'GET', ':scheme', 'https', ':path', path, ':authority', 'a'];
  // The encoder is of answers; what it puts first is their status.
  const block = encodeHeaders(200, head).subarray(1);
  socket.write(
    Buffer.concat([
      Buffer.from(PREFACE),
      window(WINDOW_MAX),
      encodeFrame(frameTypes.windowUpdate, 0, 0, uint32(WINDOW_MAX - 65_535)),
      encodeFrame(frameTypes.headers, flags.endStream | flags.endHeaders, 1, block),
    ]),
  );
  let [bytes, frames, torn, rest] = [0, 0, 0, Buffer.alloc(0)];
  // Node gives each record by itself.
  for await (const record of socket) {
    rest = Buffer.concat([rest, record as Buffer]);
    let at = 0;
    while (rest.length - at >= FRAME_HEADER_BYTES) {
      const length = rest.readUIntBE(at, 3);
      const end = at + FRAME_HEADER_BYTES + length;
      if (end > rest.length) break;
      const [type, frameFlags] = [rest[at + 3], rest[at + 4] ?? 0];
      at = end;
      if (type !== frameTypes.data) continue;
      frames += 1;
      bytes += length;
      if ((frameFlags & flags.endStream) === 0) continue;
      socket.destroy();
      return { bytes, frames, torn, endsEmpty: length === 0 };
    }
    rest = rest.subarray(at);
    if (rest.length > 0) torn += 1;
  }
  throw new Error('The stream does not end');
}

for (const [path, bytes] of [
  ['/whole', 1_000_000],
  ['/pieces', 1_000_000],
  ['/pieces-then-end', 1_000_000],
] as const) {
  test(`${path}: each frame is whole in one record, and fills it where there is enough`, async () => {
    const found = await read(path);
    assert.equal(found.bytes, bytes);
    assert.equal(found.torn, 0);
    // One more for each piece, and for what shares its record with the head.
    assert.ok(found.frames <= bytes / 16_000 + 14, `${found.frames} frames`);
    assert.equal(found.endsEmpty, path === '/pieces-then-end');
  });
}
