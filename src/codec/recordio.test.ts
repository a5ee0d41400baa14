// RecordIO against any way of cutting its stream into chunks, and against what is no RecordIO.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { faultCode } from '#base/fault.ts';
import { encodeRecord, RecordDecoder } from './recordio.ts';

function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const at = [0, ...places.map((place) => place % (bytes.length + 1)), bytes.length];
  at.sort((a, b) => a - b);
  return at.slice(1).map((end, i) => bytes.subarray(at[i] ?? 0, end));
}

test('records come out as they went in, however the stream is cut', () => {
  const records = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 });
  fc.assert(
    fc.property(records, fc.array(fc.nat(), { maxLength: 20 }), (sent, places) => {
      const decoder = new RecordDecoder();
      const stream = Buffer.concat(sent.map(encodeRecord));
      const got = cut(stream, places).flatMap((chunk) => decoder.push(chunk));
      assert.deepEqual(
        got.map((one) => [...one]),
        sent.map((one) => [...one]),
      );
      assert.equal(decoder.isClean, true);
    }),
  );
});

test('a text is its UTF-8 bytes, and a cut stream is not clean', () => {
  const bytes = encodeRecord('grüße');
  assert.equal(bytes.toString(), '7\ngrüße');
  for (let length = 1; length < bytes.length; length++) {
    const decoder = new RecordDecoder();
    assert.deepEqual(decoder.push(bytes.subarray(0, length)), []);
    assert.equal(decoder.isClean, false);
  }
});

test('what is no length is refused as soon as it is seen', () => {
  for (const bad of ['x', '\n', '-1\n', '1x\n', '0x10\n', ' 5\n', '1.5\n', '12345678901']) {
    assert.throws(
      () => new RecordDecoder().push(Buffer.from(bad)),
      (error) => faultCode(error) === 'bad-recordio',
      JSON.stringify(bad),
    );
  }
});

test('a record longer than the limit is refused before it is kept', () => {
  const decoder = new RecordDecoder(10);
  assert.equal(decoder.push(encodeRecord('0123456789')).length, 1);
  assert.throws(
    () => decoder.push(Buffer.from('11\n')),
    (error) => faultCode(error) === 'bad-recordio',
  );
});

test('a long record in many small chunks costs time proportional to its length', () => {
  const record = Buffer.alloc(4 * 1024 * 1024, 7);
  const stream = encodeRecord(record);
  const decoder = new RecordDecoder();
  let found = 0;
  for (let at = 0; at < stream.length; at += 64) {
    found += decoder.push(stream.subarray(at, at + 64)).length;
  }
  assert.equal(found, 1);
});
