// Names of isolators: what they stand for, and that none is taken without an effect.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkControllers, moreControllers, parseIsolators } from './isolators.ts';

const meant: readonly (readonly [string, readonly string[]])[] = [
  ['', []],
  ['process', ['posix/cpu', 'posix/mem']],
  ['cgroups', ['cgroups/cpu', 'cgroups/mem']],
  ['posix/disk,linux/nnp', ['disk/du', 'linux/nnp']],
  ['cgroups/all', ['cgroups/all']],
];
for (const [text, names] of meant) {
  test(`isolation=${text}`, () => assert.deepEqual([...parseIsolators(text)], names));
}

const refused = [
  'nonsense',
  'gpu/nvidia',
  'network/port_mapping',
  'windows/cpu',
  'filesystem/posix,filesystem/linux',
];
for (const text of refused) {
  test(`isolation=${text} is refused`, () => assert.throws(() => parseIsolators(text)));
}

test('a controller that the machine does not have is refused, but not by cgroups/all', () => {
  const flags = (text: string) => ({
    isolators: parseIsolators(text),
    limitsSwap: false,
    enforcesDiskQuota: false,
    gpuDevices: [],
  });
  const there = new Set(['cpu', 'memory', 'blkio']);
  checkControllers(flags('cgroups/cpu,cgroups/mem,cgroups/blkio,cgroups/all'), there);
  assert.throws(() => checkControllers(flags('cgroups/cpuset'), there), /'cpuset' is not there/);
  assert.throws(() => checkControllers(flags('cgroups/mem'), new Set()), /'mem' is not there/);
  const swap = { ...flags(''), limitsSwap: true };
  assert.throws(() => checkControllers(swap, new Set()), /'mem' is not there/);
  const quota = { ...flags(''), enforcesDiskQuota: true };
  assert.throws(() => checkControllers(quota, there), /needs the isolator 'disk\/du'/);
  assert.throws(() => checkControllers(flags('cgroups/net_cls'), there), /'net_cls' is not there/);
  assert.throws(() => checkControllers(flags('cgroups/net_prio'), there), /'net_prio' is not/);
  assert.deepEqual(moreControllers(parseIsolators('cgroups/net_prio')), ['net_prio']);
  const ports = flags('network/ports');
  assert.throws(() => checkControllers(ports, new Set()), /'network\/ports' needs cgroups/);
  checkControllers(ports, there);
  const gpus = { ...flags(''), gpuDevices: [{ rule: 'c 195:0 rw', path: '/dev/gpu0' }] };
  assert.throws(() => checkControllers(gpus, there), /'devices' is not there/);
  assert.deepEqual(moreControllers(parseIsolators('cgroups/blkio')), ['blkio']);
});
