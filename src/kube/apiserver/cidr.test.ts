// Ranges that a server is told of, and which of their addresses are given out first.
import assert from 'node:assert/strict';
import test from 'node:test';
import { addressText } from '#kube/meta/ip-ranges.ts';
import { addressCount, bandsOf, ownAddress, serviceRanges } from './cidr.ts';

const right: readonly (readonly [string, readonly string[]])[] = [
  ['10.0.0.0/16', ['10.0.0.0/16']],
  ['10.0.3.7/16', ['10.0.0.0/16']],
  ['fd00::/112', ['fd00::/112']],
  ['FD00:0::1/112', ['fd00::/112']],
  ['10.0.0.0/16,fd00::/112', ['10.0.0.0/16', 'fd00::/112']],
  ['fd00::/112, 10.0.0.0/16', ['fd00::/112', '10.0.0.0/16']],
];

for (const [text, ranges] of right) {
  void test(`ranges of ${text}`, () => assert.deepEqual(serviceRanges(text), ranges));
}

const wrong = [
  ['', 'entry 0 is not a valid cidr'],
  ['10.0.0.0', 'entry 0 is not a valid cidr'],
  ['10.0.0.0/33', 'entry 0 is not a valid cidr'],
  ['10.0.0.0/16,x', 'entry 1 is not a valid cidr'],
  ['10.0.0.0/16,fd00::/112,fd01::/112', 'more than two entries'],
  ['10.0.0.0/16,10.1.0.0/16', 'of one IP family'],
  ['fd00::/112,fd01::/112', 'of one IP family'],
  ['10.0.0.0/30', 'at least 8 IP addresses'],
] as const;

for (const [text, why] of wrong) {
  void test(`no ranges: ${JSON.stringify(text)}`, () => {
    assert.throws(
      () => serviceRanges(text),
      ({ message }: Error) => message.includes(why),
    );
  });
}

/** As the allocator of kubernetes v1.37 splits them. */
const bands = [
  ['10.0.0.0/16', ['10.0.1.1-10.0.255.254', '10.0.0.1-10.0.1.0'], 65_534n],
  ['10.0.0.0/24', ['10.0.0.17-10.0.0.254', '10.0.0.1-10.0.0.16'], 254n],
  ['10.0.0.0/28', ['10.0.0.1-10.0.0.14'], 14n],
  ['10.0.0.0/29', ['10.0.0.1-10.0.0.6'], 6n],
  ['10.0.0.0/32', [], 0n],
  ['fd00::/112', ['fd00::101-fd00::ffff', 'fd00::1-fd00::100'], 65_535n],
  ['fd00::/64', ['fd00::101-fd00::ffff:ffff:ffff:ffff', 'fd00::1-fd00::100'], 2n ** 64n - 1n],
  ['fd00::/128', [], 0n],
] as const;

for (const [cidr, wanted, count] of bands) {
  void test(`addresses of ${cidr}`, () => {
    const shown = bandsOf(cidr).map(
      ({ family, first, last }) => `${addressText(first, family)}-${addressText(last, family)}`,
    );
    assert.deepEqual(shown, wanted);
    assert.equal(addressCount(cidr), count);
  });
}

test('the server has the first address', () => {
  assert.deepEqual(['10.0.0.0/16', 'fd00::/112'].map(ownAddress), ['10.0.0.1', 'fd00::1']);
});
