// HPACK: the examples of RFC 7541, appendix C; texts of any octets; the blocks of answers read back.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { CompressionError, HpackDecoder } from './hpack-decoder.ts';
import { encodeHeaders } from './hpack-encoder.ts';
import { huffmanLengths } from './hpack-tables.ts';
import { decodeHuffman } from './huffman.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const request = [':method', 'GET', ':scheme', 'http', ':path', '/', ':authority'];

/** Requests one after the other on one connection, plain (C.3) and coded (C.4). */
const sequences = {
  plain: [
    '828684410f7777772e6578616d706c652e636f6d',
    '828684be58086e6f2d6361636865',
    '828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565',
  ],
  coded: [
    '828684418cf1e3c2e5f23a6ba0ab90f4ff',
    '828684be5886a8eb10649cbf',
    '828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf',
  ],
};
for (const [form, [first = '', second = '', third = '']] of Object.entries(sequences)) {
  test(`HpackDecoder reads three ${form} requests, which build on each other`, () => {
    const decoder = new HpackDecoder();
    const host = 'www.example.com';
    assert.deepEqual(decoder.decode(hex(first), 4_096), [...request, host]);
    const again = [...request, host, 'cache-control', 'no-cache'];
    assert.deepEqual(decoder.decode(hex(second), 4_096), again);
    assert.deepEqual(decoder.decode(hex(third), 4_096), [
      ':method',
      'GET',
      ':scheme',
      'https',
      ':path',
      '/index.html',
      ':authority',
      host,
      'custom-key',
      'custom-value',
    ]);
  });
}

test('HpackDecoder drops the oldest entries of a full table (C.6)', () => {
  const decoder = new HpackDecoder(256);
  const date = 'Mon, 21 Oct 2013 20:13:21 GMT';
  const location = 'https://www.example.com';
  const first = '488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff';
  const answer = ['cache-control', 'private', 'date', date, 'location', location];
  assert.deepEqual(decoder.decode(hex(`${first}6e919d29ad171863c78f0b97c8e9ae82ae43d3`), 4_096), [
    ':status',
    '302',
    ...answer,
  ]);
  assert.deepEqual(decoder.decode(hex('4883640effc1c0bf'), 4_096), [':status', '307', ...answer]);
  // `:status: 302` was the oldest, and is gone.
  assert.throws(() => decoder.decode(hex('c2'), 4_096), CompressionError);
});

const broken: Readonly<Record<string, string>> = {
  'an entry zero': '80',
  'an entry that is not there': 'be',
  'a size above what is allowed': '3fe21f',
  'a change of size behind a field': '8220',
  'a text that is cut off': '400a6375',
  'an integer that is cut off': 'ff',
  'an integer that does not end': 'ffffffffffffffffffff',
  'padding that is not all ones': '40811c0161',
  'the code of the end within a text': '4084ffffffff0161',
};
for (const [name, block] of Object.entries(broken)) {
  test(`HpackDecoder refuses ${name}`, () => {
    assert.throws(() => new HpackDecoder().decode(hex(block), 4_096), CompressionError);
  });
}

test('HpackDecoder does not give lists that are too long, and goes on behind them', () => {
  const decoder = new HpackDecoder();
  assert.equal(decoder.decode(hex('828684410f7777772e6578616d706c652e636f6d'), 60), undefined);
  assert.deepEqual(decoder.decode(hex('be'), 60), [':authority', 'www.example.com']);
});

/** The naive twin of the decoder: bit by bit, from the lengths. */
function encodeHuffman(octets: readonly number[]): Buffer {
  const order = [...huffmanLengths.keys()].sort(
    (a, b) => (huffmanLengths[a] ?? 0) - (huffmanLengths[b] ?? 0) || a - b,
  );
  const codes = new Map<number, string>();
  let code = 0n;
  let before = 0;
  for (const octet of order) {
    const length = huffmanLengths[octet] ?? 0;
    code <<= BigInt(length - before);
    before = length;
    codes.set(octet, code.toString(2).padStart(length, '0'));
    code += 1n;
  }
  const bits = octets.map((one) => codes.get(one) ?? '').join('');
  const padded = bits.padEnd(Math.ceil(bits.length / 8) * 8, '1');
  return Buffer.from((padded.match(/.{8}/g) ?? []).map((one) => Number.parseInt(one, 2)));
}

test('decodeHuffman() reads any octets', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 255 })), (octets) => {
      const text = decodeHuffman(encodeHuffman(octets));
      assert.equal(text, Buffer.from(octets).toString('latin1'));
    }),
  );
});

test('HpackDecoder ends, whatever it is given', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        new HpackDecoder().decode(Buffer.from(bytes), 1_000);
      } catch (error) {
        assert.ok(error instanceof CompressionError);
      }
    }),
  );
});

test('encodeHeaders() is read back', () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,140}$/);
  const value = fc.stringMatching(/^[\x20-\x7e]{0,300}$/);
  const fields = fc.array(fc.tuple(name, value), { maxLength: 8 });
  fc.assert(
    fc.property(fc.integer({ min: 100, max: 599 }), fields, (status, list) => {
      const block = encodeHeaders(status, list.flat());
      const read = new HpackDecoder().decode(block, 1_000_000);
      assert.deepEqual(read, [':status', String(status), ...list.flat()]);
    }),
  );
});
