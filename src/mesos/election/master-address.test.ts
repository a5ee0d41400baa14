// The forms in which agents and frameworks are told where the master is.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostPortOf, parseMasterAddress, redacted } from './master-address.ts';

const zk = { kind: 'zk', path: '/mesos' } as const;
const good: readonly (readonly [string, object])[] = [
  ['10.0.0.1:5050', { kind: 'fixed', address: '10.0.0.1:5050' }],
  ['master@10.0.0.1:5050', { kind: 'fixed', address: '10.0.0.1:5050' }],
  ['http://m.example:5050/', { kind: 'fixed', address: 'm.example:5050' }],
  ['zk://a:2181/mesos', { ...zk, servers: ['a:2181'] }],
  ['zk://a,b:2182/mesos', { ...zk, servers: ['a:2181', 'b:2182'] }],
  ['zk://u:p@a:1/x/y', { kind: 'zk', path: '/x/y', servers: ['a:1'], credentials: 'u:p' }],
  ['etcd:a:2379', { kind: 'etcd', endpoints: ['http://a:2379'], prefix: '/strata' }],
  ['etcd:a:1?prefix=/p', { kind: 'etcd', endpoints: ['http://a:1'], prefix: '/p' }],
];
for (const [text, address] of good) {
  test(`${text} is an address`, () => assert.deepEqual(parseMasterAddress(text), address));
}

const bad = [
  '',
  'host',
  'zk://a:2181',
  'zk://a:2181/',
  'zk:///mesos',
  'zk://a/mesos/',
  'zk://a//b',
];
for (const text of bad) {
  test(`"${text}" is no address`, () => {
    assert.throws(() => parseMasterAddress(text), { detail: { code: 'bad-option' } });
  });
}

test('passwords are shown nowhere', () => {
  assert.equal(redacted('zk://u:p@a:1/x'), 'zk://…@a:1/x');
  assert.throws(
    () => parseMasterAddress('zk://u:secret@a:1'),
    (error: Error) => !error.message.includes('secret'),
  );
});

test('a leader is reached by its IP where it says one', () => {
  const info = { id: 'm', ip: 0, port: 1, hostname: 'name' };
  assert.equal(hostPortOf(info), 'name:1');
  assert.equal(
    hostPortOf({ ...info, address: { hostname: 'n', ip: '10.0.0.1', port: 2 } }),
    '10.0.0.1:2',
  );
});
