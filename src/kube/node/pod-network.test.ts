// The network of pods on a node: names, ranges, and as root the bridges themselves.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { PodNetwork, interfacesWithin, networkNames, parseCidr } from './pod-network.ts';

const isRoot = process.getuid?.() === 0;
const podCidr = `10.231.${process.pid % 256}.0/24`;

function networkOf(cluster: string): { network: PodNetwork; bridge: string; hasBridge(): boolean } {
  const owner = { cluster: `${cluster}-${process.pid}`, nodeName: 'n' };
  const { bridge } = networkNames(owner);
  const hasBridge = (): boolean => existsSync(`/sys/class/net/${bridge}`);
  return { network: new PodNetwork({ ...owner, podCidr }), bridge, hasBridge };
}

test('networkNames: the same node of two clusters on one machine has two bridges', () => {
  const one = networkNames({ cluster: 'a', nodeName: 'node-1' });
  const other = networkNames({ cluster: 'b', nodeName: 'node-1' });
  assert.notEqual(one.bridge, other.bridge);
  assert.notEqual(one.prefix, other.prefix);
});

test('interfacesWithin: equal and narrower ranges count, wider and other ones do not', () => {
  const having = (ifname: string, local: string, prefixlen: number): object => ({
    ifname,
    addr_info: [{ local, prefixlen }],
  });
  const interfaces = [
    having('equal', '10.5.7.1', 24),
    having('narrower', '10.5.7.129', 25),
    having('wider', '10.5.7.9', 8),
    having('beside', '10.5.8.1', 24),
    { ifname: 'none' },
  ];
  const found = interfacesWithin(interfaces as never, parseCidr('10.5.7.0/24'));
  assert.deepEqual(found, ['equal', 'narrower']);
});

test(
  'PodNetwork: takes over the range of a bridge left behind, not that of one in use',
  { skip: !isRoot && 'needs root' },
  async () => {
    const gone = networkOf('gone');
    const mine = networkOf('mine');
    try {
      await gone.network.add('first');
      const inUse = new RegExp(`interface "${gone.bridge}" of this machine has them`);
      await assert.rejects(mine.network.add('second'), inUse);
      await gone.network.remove('first');
      await mine.network.add('second');
      assert.equal(gone.hasBridge(), false);
      const route = execFileSync('ip', ['route', 'get', mine.network.addressOf('second')]);
      assert.ok(route.toString().includes(mine.bridge), route.toString());
      // The other one was only idle after all: it makes its bridge anew, once the range is free.
      await mine.network.remove('second');
      await gone.network.add('third');
      assert.equal(mine.hasBridge(), false);
    } finally {
      await gone.network.destroy();
      await mine.network.destroy();
    }
    assert.equal(gone.hasBridge() || mine.hasBridge(), false);
  },
);
