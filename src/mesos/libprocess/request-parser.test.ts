// Requests that are nearly plain: whatever the parser takes, Node's HTTP server takes as the same requests.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { RequestParser, type RequestHead } from './request-parser.ts';

interface Seen {
  readonly id: string;
  readonly type: string;
}

const LINE = /^POST \/x HTTP\/1\.1$/;

function headOf({ line, headers }: RequestHead): Seen | undefined {
  const id = headers.get('id');
  if (id === undefined || !LINE.test(line)) return undefined;
  return { id, type: headers.get('content-type') ?? '' };
}

/** What each sees: requests in their order. */
let seen: Seen[] = [];
const server = createServer({ requireHostHeader: false }, (request, response) => {
  const { id, 'content-type': type = '' } = request.headers;
  // Here, not at the end of the request: what is wrong behind it would end the connection before.
  seen.push({ id: String(id), type });
  request.resume();
  response.end();
});

before(async () => {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
});

after(() => {
  server.closeAllConnections();
  server.close();
});

async function byNode(bytes: Buffer): Promise<Seen[]> {
  seen = [];
  const { port } = server.address() as AddressInfo;
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => {});
  socket.resume();
  socket.end(bytes);
  await new Promise<void>((done) => socket.on('close', () => done()));
  return seen;
}

function byParser(bytes: Buffer, isWhole: boolean) {
  const found: Seen[] = [];
  const onRequest = (head: Seen): void => void found.push(head);
  const parser = new RequestParser({ bodyBytesMax: 100_000, headOf, onRequest });
  const parts = isWhole ? [bytes] : Array.from(bytes, (byte) => Buffer.of(byte));
  for (const part of parts) {
    const { kind } = parser.push(part);
    if (kind !== 'read') return { found, kind };
  }
  return { found, kind: parser.isInside ? 'inside' : 'read' };
}

const snippets = [
  '\r\n',
  '\n',
  '\r',
  '\0',
  ' ',
  ':',
  '\t',
  ';',
  ',',
  '0\r\n\r\n',
  '\r\nContent-Length: 3',
  '\r\nContent-Length: -1',
  '\r\nTransfer-Encoding: chunked',
  '\r\nTransfer-Encoding: gzip, chunked',
  '\r\nExpect: 100-continue',
  '\r\nConnection: close',
  '\r\n folded',
  '\r\nId: y',
  'GET /health HTTP/1.1\r\n\r\n',
];
const edits = fc.array(
  fc.record({
    at: fc.nat({ max: 500 }),
    removed: fc.constantFrom(0, 0, 0, 1, 2, 20),
    put: fc.oneof(
      fc.constantFrom('', ...snippets),
      fc.string({ maxLength: 3, unit: 'binary-ascii' }),
    ),
  }),
  { maxLength: 3 },
);

const HEAD = 'POST /x HTTP/1.1\r\nId: one\r\nContent-Type: a/b\r\n';
const valid = [
  `${HEAD}Content-Length: 5\r\n\r\n12345`,
  `${HEAD}Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: z\r\n\r\n`,
  `${HEAD}\r\n`,
];

test("what is taken is a part of what Node's server takes, and all of it where nothing else comes", async () => {
  const property = fc.asyncProperty(
    fc.constantFrom(...valid),
    fc.constantFrom(...valid),
    edits,
    fc.boolean(),
    async (one, other, all, isWhole) => {
      let bytes = Buffer.from(one + other);
      for (const { at, removed, put } of all) {
        const from = at % (bytes.length + 1);
        const parts = [bytes.subarray(0, from), Buffer.from(put), bytes.subarray(from + removed)];
        bytes = Buffer.concat(parts);
      }
      const { found, kind } = byParser(bytes, isWhole);
      const heads = await byNode(bytes);
      assert.deepEqual(found, heads.slice(0, found.length), JSON.stringify(String(bytes)));
      if (kind === 'read') assert.equal(found.length, heads.length, JSON.stringify(String(bytes)));
    },
  );
  await fc.assert(property, { numRuns: Number(process.env['STRATA_FUZZ_RUNS'] ?? 300) });
});
