// The home folder: which addresses an instance of it gets.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instanceConfig } from './home.ts';

function podRange(port: number, inUse?: readonly string[]): string {
  return instanceConfig('one', port, inUse).podCidr;
}

test('instanceConfig: neighbours in ports, and homes some port offset apart, differ in addresses', () => {
  const ports = [6443, 6444, 6445, 6543, 6643, 16_443, 26_443];
  assert.equal(new Set(ports.map((port) => podRange(port))).size, ports.length);
  const { serviceCidr, podCidr } = instanceConfig('one', 6443);
  assert.deepEqual(
    { serviceCidr, podCidr },
    { serviceCidr: '10.21.0.0/16', podCidr: '10.131.0.0/16' },
  );
});

test('instanceConfig: addresses that the machine has already are left to who has them', () => {
  assert.equal(podRange(6443, ['10.131.3.1']), '10.132.0.0/16');
  assert.equal(podRange(6443, ['10.21.0.9', '10.132.0.0/16', '192.168.1.1']), '10.133.0.0/16');
  const all = Array.from({ length: 256 }, (_, second) => `10.${second}.0.1`);
  assert.equal(podRange(6443, all), '10.131.0.0/16');
});
