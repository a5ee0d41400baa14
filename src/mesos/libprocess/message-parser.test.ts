// Messages out of bytes, wherever these are cut; what is left to HTTP; what is refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { beginsMessage, messageParser, type ParsedMessage } from './message-parser.ts';

const HEAD =
  'User-Agent: libprocess/slave(1)@127.0.0.1:5051\r\nLibprocess-From: slave(1)@127.0.0.1:5051\r\n' +
  'Connection: Keep-Alive\r\nHost: \r\n';

function chunked(name: string, parts: readonly string[]): string {
  const body = parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('');
  return `POST /master/${name} HTTP/1.1\r\n${HEAD}Transfer-Encoding: chunked\r\n\r\n${body}0\r\n\r\n`;
}

function measured(name: string, body: string): string {
  return `POST /master/${name} HTTP/1.1\r\n${HEAD}Content-Length: ${body.length}\r\n\r\n${body}`;
}

function parse(pieces: readonly Buffer[], bodyBytesMax = 1_000) {
  const seen: { name: string; body: string }[] = [];
  const onMessage = ({ id, name, from, body }: ParsedMessage): void => {
    assert.equal(id, 'master');
    assert.equal(from, 'slave(1)@127.0.0.1:5051');
    seen.push({ name, body: Buffer.from(body).toString('latin1') });
  };
  const parser = messageParser({ bodyBytesMax, onMessage });
  for (const piece of pieces) {
    const outcome = parser.push(piece);
    if (outcome.kind === 'read') continue;
    return { seen, outcome: outcome.kind, rest: outcome.kind === 'foreign' ? outcome.rest : '' };
  }
  return { seen, outcome: parser.isInside ? 'inside' : 'read', rest: '' };
}

/** Cut at every place that `cuts` names. */
function cut(text: string, cuts: readonly number[]): Buffer[] {
  const places = [...new Set(cuts.map((at) => at % (text.length + 1)))].toSorted((a, b) => a - b);
  const bounds = [0, ...places, text.length];
  return bounds.slice(1).map((end, i) => Buffer.from(text.slice(bounds[i], end), 'latin1'));
}

const messages = fc.array(
  fc.record({
    name: fc.constantFrom('mesos.internal.PongSlaveMessage', 'a.B'),
    parts: fc.array(fc.string({ minLength: 1, maxLength: 40, unit: 'binary-ascii' }), {
      maxLength: 4,
    }),
    isChunked: fc.boolean(),
  }),
  { minLength: 1, maxLength: 6 },
);

test('messages are the same wherever their bytes are cut', () => {
  fc.assert(
    fc.property(messages, fc.array(fc.nat(), { maxLength: 12 }), (sent, cuts) => {
      const text = sent
        .map(({ name, parts, isChunked }) => {
          return isChunked ? chunked(name, parts) : measured(name, parts.join(''));
        })
        .join('');
      const { seen, outcome } = parse(cut(text, cuts));
      assert.equal(outcome, 'read');
      assert.deepEqual(
        seen,
        sent.map(({ name, parts }) => ({ name, body: parts.join('') })),
      );
    }),
  );
});

test('a message without a body has neither length nor chunks', () => {
  const text = `POST /master/a.B HTTP/1.1\r\n${HEAD}\r\n`;
  assert.deepEqual(parse([Buffer.from(text + text)]).seen, [
    { name: 'a.B', body: '' },
    { name: 'a.B', body: '' },
  ]);
});

test('what libprocess does not write is given back whole, after what it does write', () => {
  const others = [
    'GET /master/health HTTP/1.1\r\nHost: x\r\n\r\n',
    'POST /master/a.B HTTP/1.1\r\nLibprocess-From: slave(1)@127.0.0.1:5051\r\n\r\n',
    `POST /master/a.B HTTP/1.1\r\n${HEAD}Expect: 100-continue\r\nContent-Length: 1\r\n\r\nx`,
    `POST /master/a.B HTTP/1.1\r\n${HEAD}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`,
    `POST /master/a.B HTTP/1.1\r\n${HEAD}Content-Length: 1\r\nContent-Length: 1\r\n\r\nx`,
    `POST /master/a.B HTTP/1.1\r\n${HEAD} folded: yes\r\n\r\n`,
    `POST /api/v1/scheduler HTTP/1.1\r\n${HEAD}\r\n`,
    `POST /master/a.B HTTP/1.0\r\n${HEAD}\r\n`,
  ];
  for (const other of others) {
    assert.equal(beginsMessage(Buffer.from(other)), false, other);
    const found = parse([Buffer.from(measured('a.B', 'one') + other)]);
    assert.equal(found.outcome, 'foreign', other);
    assert.equal(found.rest.toString(), other);
    assert.equal(found.seen.length, 1);
  }
  assert.equal(beginsMessage(Buffer.from(chunked('a.B', ['x']))), true);
  assert.equal(beginsMessage(Buffer.from('POST /master/a.B HTTP/1.1\r\n')), false);
});

test('a body that is too long, or chunks that are none, end the connection', () => {
  const head = `POST /master/a.B HTTP/1.1\r\n${HEAD}Transfer-Encoding: chunked\r\n\r\n`;
  const bad = [
    measured('a.B', 'x'.repeat(1_001)),
    chunked('a.B', ['x'.repeat(600), 'x'.repeat(600)]),
    `${head}zz\r\n`,
    `${head}\r\n`,
    `${head}1\r\nxy\r\n`,
    `${head}1 a\r\n`,
    `${head}1 ;a\r\n`,
    `${head}0\r\nTrailer: \0\r\n\r\n`,
    `${head}0\r\n${'Trailer: x\r\n'.repeat(2_000)}`,
    `${head}${'0'.repeat(5_000)}`,
  ];
  for (const text of bad) {
    const { seen, outcome } = parse([Buffer.from(text)]);
    assert.deepEqual([seen, outcome], [[], 'bad'], text.slice(0, 300));
  }
  assert.equal(parse([Buffer.from(chunked('a.B', ['x']).slice(0, -1))]).outcome, 'inside');
});

test('extensions of chunks and trailers are passed over', () => {
  const head = `POST /master/a.B HTTP/1.1\r\n${HEAD}Transfer-Encoding: chunked\r\n\r\n`;
  const text = `${head}1;a=b\r\nx\r\n2;c;d=e\r\nyz\r\n0\r\nTrailer: x\r\nOther: y\r\n\r\n`;
  const { seen, outcome } = parse([Buffer.from(text + measured('a.B', 'next'))]);
  assert.equal(outcome, 'read');
  assert.deepEqual(
    seen.map(({ body }) => body),
    ['xyz', 'next'],
  );
});

test('a body of very many small chunks is whole', () => {
  const parts = Array.from({ length: 5_000 }, (_, i) => String(i % 10));
  assert.equal(parse([Buffer.from(chunked('a.B', parts))], 10_000).seen[0]?.body, parts.join(''));
});
