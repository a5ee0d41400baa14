// Name servers of containers: what the network's plugin says, then what the operator does for it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultDns, dnsOf, resolvText } from './container-dns.ts';

const entry = (name: string | undefined, address: string, mode = 'CNI') => ({
  network_mode: mode,
  ...(name === undefined ? {} : { network_name: name }),
  dns: { nameservers: [address], search: ['a.test'], options: ['timeout:3'] },
});
const flag = (...mesos: object[]) => defaultDns(JSON.stringify({ mesos }));

test('the plugin comes first, then the network by its name, then every other one', () => {
  const both = flag(entry('blue', '10.0.0.1'), entry(undefined, '10.0.0.2'));
  const told = { nameservers: ['10.0.0.3'] };
  assert.deepEqual(dnsOf(told, 'blue', both), told);
  assert.deepEqual(dnsOf({ search: ['b.test'] }, 'blue', both)?.nameservers, ['10.0.0.1']);
  assert.deepEqual(dnsOf(undefined, 'red', both)?.nameservers, ['10.0.0.2']);
  assert.equal(dnsOf(undefined, 'red', flag(entry('blue', '10.0.0.1'))), undefined);
  assert.equal(
    resolvText([dnsOf(undefined, 'blue', both) ?? {}]),
    'search a.test\noptions timeout:3\nnameserver 10.0.0.1\n',
  );
});

test('what has no meaning is refused', () => {
  assert.throws(() => flag(entry('blue', '10.0.0.1', 'HOST')), /host network cannot be set/);
  assert.throws(() => flag(entry('blue', '10.0.0.1', 'USER')), /no network mode 'USER'/);
  assert.throws(() => flag(entry('a', '10.0.0.1'), entry('a', '10.0.0.2')), /two for a/);
  assert.throws(() => flag(entry(undefined, '1.1.1.1'), entry(undefined, '1.1.1.1')), /two for/);
  assert.throws(() => defaultDns('{'), SyntaxError);
});
