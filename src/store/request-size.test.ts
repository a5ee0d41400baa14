// At which size of a write etcd, and its client, say no.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultCode } from '#base/fault.ts';
import { checkSize } from './request-size.ts';

const MIB = 1024 * 1024;
const NOT_TAKEN = /etcdserver: request is too large/;
const NOT_SENT = /trying to send message larger than max \(\d+ vs\. 2097152\)/;

const cases = [
  [1.4 * MIB, undefined, undefined],
  [1.5 * MIB, NOT_TAKEN, undefined],
  [1.9 * MIB, NOT_TAKEN, undefined],
  [2 * MIB, NOT_SENT, NOT_SENT],
] as const;

for (const [bytes, elsewhere, onEtcd] of cases) {
  test(`a value of ${bytes} bytes`, () => {
    const value = new Uint8Array(Math.floor(bytes));
    const txn = { compare: [], then: [{ kind: 'put', key: '/registry/pods/a', value }] } as const;
    for (const [isOnEtcd, words] of [
      [false, elsewhere],
      [true, onEtcd],
    ] as const) {
      const check = () => checkSize(txn, isOnEtcd);
      if (words === undefined) check();
      else
        assert.throws(check, (error: Error) => {
          assert.equal(faultCode(error), 'store-value-too-large');
          assert.match(error.message, words);
          return true;
        });
    }
  });
}

test('what is deleted has no size', () => {
  checkSize({ compare: [], then: [{ kind: 'delete', key: '/registry/pods/a' }] }, false);
});
