// Under which address an API server is found, and which addresses it refuses.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { advertisedAddress } from './advertised-address.ts';

const four = '10.0.0.0/16';
const six = '2001:db8:1::/108';

const cases = [
  ['where it listens', {}, '192.0.2.1', [four], '192.0.2.1'],
  ['this machine, for who listens everywhere', {}, '0.0.0.0', [four], '127.0.0.1'],
  ['what is said', { advertiseAddress: '192.0.2.7' }, '0.0.0.0', [four, six], '192.0.2.7'],
  ['of the other family', { advertiseAddress: '2001:db8::10' }, '::', [six, four], '2001:db8::10'],
] as const;

for (const [name, flags, host, ranges, wanted] of cases) {
  test(`a server is found at an address: ${name}`, () => {
    assert.equal(advertisedAddress(flags, host, ranges), wanted);
  });
}

const refused = [
  [/"somewhere" is no IP address/, 'somewhere', [four]],
  [
    /service IP family "10\.0\.0\.0\/16" must match public address family "2001:db8::10"/,
    '2001:db8::10',
    [four],
  ],
  [/must match public address family "192\.0\.2\.7"/, '192.0.2.7', [six, four]],
] as const;

for (const [message, advertiseAddress, ranges] of refused) {
  test(`--advertise-address ${advertiseAddress} is refused: ${message.source}`, () => {
    assert.throws(() => advertisedAddress({ advertiseAddress }, '0.0.0.0', ranges), message);
  });
}
