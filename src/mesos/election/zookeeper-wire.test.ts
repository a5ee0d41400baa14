// Frames of ZooKeeper's protocol: whole, in pieces, and broken; and which node of a group leads.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  connectFrame,
  FrameDecoder,
  JuteReader,
  JuteWriter,
  noSession,
  readConnected,
  zookeeperFault,
} from './zookeeper-wire.ts';
import { leaderOf } from './zookeeper-group.ts';

test('records come back as they were written, however the bytes are cut', () => {
  const record = fc.record({
    int: fc.integer(),
    long: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(record, fc.string(), fc.uint8Array(), fc.boolean()), { maxLength: 5 }),
      fc.integer({ min: 1, max: 9 }),
      (records, size) => {
        const bytes = Buffer.concat(
          records.map(([{ int, long }, text, buffer, bool]) =>
            new JuteWriter()
              .int(int | 0)
              .long(long)
              .text(text)
              .buffer(buffer)
              .bool(bool)
              .frame(),
          ),
        );
        const decoder = new FrameDecoder();
        const frames: Buffer[] = [];
        for (let at = 0; at < bytes.length; at += size) {
          frames.push(...decoder.push(bytes.subarray(at, at + size)));
        }
        assert.equal(frames.length, records.length);
        frames.forEach((frame, index) => {
          const [{ int, long }, text, buffer, bool] = records[index] ?? assert.fail();
          const reader = new JuteReader(frame);
          assert.equal(reader.int(), int | 0);
          assert.equal(reader.long(), long);
          assert.equal(reader.text(), Buffer.from(text).toString());
          assert.deepEqual([...reader.buffer()], [...buffer]);
          assert.equal(reader.bool(), bool);
          assert.ok(reader.isAtEnd);
        });
      },
    ),
  );
});

test('what is cut short or too long is refused', () => {
  const fault = { detail: { code: 'bad-zookeeper' } };
  assert.throws(() => new JuteReader(Buffer.from([0, 0])).int(), fault);
  assert.throws(() => new JuteReader(new JuteWriter().int(9).frame().subarray(4)).text(), fault);
  assert.throws(() => new FrameDecoder().push(Buffer.from([0xff, 0xff, 0xff, 0xff])), fault);
  assert.throws(() => new FrameDecoder().push(Buffer.from([0x7f, 0, 0, 0])), fault);
});

test('a session is asked for, granted, or over', () => {
  assert.equal(connectFrame(noSession, 0n, 10_000).length, 4 + 4 + 8 + 4 + 8 + 4 + 16 + 1);
  const answer = (timeoutMs: number, id: bigint): Buffer =>
    new JuteWriter().int(0).int(timeoutMs).long(id).buffer(new Uint8Array(16)).frame().subarray(4);
  assert.deepEqual(readConnected(answer(4_000, 7n))?.id, 7n);
  assert.equal(readConnected(answer(0, 0n)), undefined);
});

test('errors have the names of ZooKeeper', () => {
  assert.equal(zookeeperFault(-101, '/x').detail['zookeeper'], 'no-node');
  assert.equal(zookeeperFault(-7, '/x').detail['zookeeper'], 'error -7');
});

const groups: readonly (readonly [readonly string[], string | undefined])[] = [
  [[], undefined],
  [['log_replicas'], undefined],
  [['json.info_0000000010', 'json.info_0000000009'], 'json.info_0000000009'],
  [['info_0000000001', 'json.info_0000000002'], 'json.info_0000000002'],
];
for (const [children, leader] of groups) {
  test(`of [${children.join(', ')}] ${leader ?? 'nobody'} leads`, () => {
    assert.equal(leaderOf(children), leader);
  });
}
