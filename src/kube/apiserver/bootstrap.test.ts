// Where clients find API servers: endpoints and their slice follow the servers to another family of addresses.
import assert from 'node:assert/strict';
import test from 'node:test';
import { endpoints, endpointSlices } from '#kube/client/resources.ts';
import { createSimEnv, startInProcessApi } from '#test/support/in-process-api.ts';
import { publishEndpoints } from './bootstrap.ts';

const place = { namespace: 'default', name: 'kubernetes' };
const four = '192.0.2.1';
const six = '2001:db8::1';

/** Which servers there are one after the other, and what the slice is then. */
const steps = [
  [[four], 'IPv4', [four]],
  [[four, six], 'IPv4', [four]],
  [[six], 'IPv6', [six]],
  [[six, '2001:db8::2'], 'IPv6', [six, '2001:db8::2']],
  [[four], 'IPv4', [four]],
  [[], 'IPv4', []],
] as const;

test('the slice of the API servers is of the family that they have', async () => {
  const api = await startInProcessApi(createSimEnv(1));
  try {
    for (const [hosts, addressType, wanted] of steps) {
      await publishEndpoints(api.handler, hosts, 6443);
      const slice = await api.client.find(endpointSlices, place);
      assert.equal(slice?.['addressType'], addressType);
      const found = (slice?.['endpoints'] ?? []) as { addresses: string[] }[];
      assert.deepEqual(
        found.flatMap(({ addresses }) => addresses),
        wanted,
      );
      const whole = await api.client.find(endpoints, place);
      const subsets = (whole?.['subsets'] ?? []) as { addresses: { ip: string }[] }[];
      assert.deepEqual(
        subsets.flatMap(({ addresses }) => addresses.map(({ ip }) => ip)),
        hosts,
      );
    }
  } finally {
    api.close();
  }
});
