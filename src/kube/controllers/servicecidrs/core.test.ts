// Ranges of service addresses: when one is needed, and what is done with it from its creation to its end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serviceCidrs } from '#kube/client/resources.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { isNeeded, reconcileRange } from './core.ts';

const range = (name: string, ...cidrs: string[]): KubeObject => ({
  kind: 'ServiceCIDR',
  apiVersion: 'networking.k8s.io/v1',
  metadata: { name },
  spec: { cidrs },
});
const address = (name: string): KubeObject => ({
  kind: 'IPAddress',
  apiVersion: 'networking.k8s.io/v1',
  metadata: { name, labels: { 'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io' } },
});

const table: readonly (readonly [string, readonly KubeObject[], readonly string[], boolean])[] = [
  ['nobody has an address', [], [], false],
  ['one address is in it', [], ['10.0.1.7'], true],
  ['the address is elsewhere', [], ['10.0.2.7'], false],
  ['another range is the same', [range('b', '10.0.1.0/24')], ['10.0.1.7'], false],
  ['a wider one holds it', [range('b', '10.0.0.0/16')], ['10.0.1.7'], false],
  ['a narrower one holds the address', [range('b', '10.0.1.0/28')], ['10.0.1.7'], false],
  ['a narrower one holds one of two', [range('b', '10.0.1.0/28')], ['10.0.1.7', '10.0.1.99'], true],
];

const six = range('b', 'fd00::/120');
const wholes: readonly (readonly [
  string,
  readonly string[],
  readonly KubeObject[],
  readonly string[],
  boolean,
])[] = [
  ['one of each family is in it', ['10.0.1.0/24', 'fd00::/120'], [], ['fd00::7'], true],
  ['its last one', ['fd00::/120'], [], ['fd00::ff'], true],
  ['its own address', ['fd00::/120'], [], ['fd00::'], false],
  ['one family is elsewhere', ['10.0.1.0/24', 'fd00::/120'], [six], ['fd00::7'], false],
  ['the other is not', ['10.0.1.0/24', 'fd00::/120'], [six], ['10.0.1.7', 'fd00::7'], true],
];

for (const [what, cidrs, others, ips, wanted] of wholes) {
  test(`ranges of two families are ${wanted ? '' : 'not '}needed: ${what}`, () => {
    const own = range('a', ...cidrs);
    assert.equal(isNeeded(own, [own, ...others], ips.map(address)), wanted);
  });
}

test('addresses that the server has not given out hold no range', () => {
  const own = range('a', '10.0.1.0/24');
  const other = { ...address('10.0.1.7'), metadata: { name: '10.0.1.7' } };
  assert.equal(isNeeded(own, [own], [other]), false);
});

for (const [what, others, ips, wanted] of table) {
  test(`a range is ${wanted ? '' : 'not '}needed: ${what}`, () => {
    const own = range('a', '10.0.1.0/24');
    assert.equal(isNeeded(own, [own, ...others], ips.map(address)), wanted);
  });
}

test('a range is held, is ready, waits for its addresses, then for ten seconds, and goes', () => {
  let live = range('a', '10.0.1.0/24');
  const step = (ips: readonly string[], ms: number) => {
    const now = { ms, text: new Date(ms).toISOString().replace('.000Z', 'Z') };
    const others = { all: [live], addresses: ips.map(address) };
    const decision = reconcileRange(serviceCidrs, live, others, now);
    for (const effect of decision.effects) if (effect.kind === 'update') live = effect.object;
    return decision;
  };
  const ready = (): unknown => (live['status']?.conditions as object[] | undefined)?.[0];
  step([], 0);
  assert.deepEqual(live.metadata.finalizers, ['networking.k8s.io/service-cidr-finalizer']);
  step([], 1_000);
  const since = { type: 'Ready', lastTransitionTime: '1970-01-01T00:00:01Z' };
  const message = 'Kubernetes Service CIDR is ready';
  assert.deepEqual(ready(), { ...since, status: 'True', reason: '', message });
  assert.deepEqual(step([], 2_000).effects, []);
  live = { ...live, metadata: { ...live.metadata, deletionTimestamp: '1970-01-01T00:00:03Z' } };
  step(['10.0.1.7'], 3_000);
  assert.equal((ready() as { reason: string }).reason, 'Terminating');
  assert.deepEqual(step(['10.0.1.7'], 60_000), { effects: [] });
  assert.deepEqual(step([], 5_000), { effects: [], againInMs: 8_000 });
  step([], 13_000);
  assert.deepEqual(live.metadata.finalizers, []);
});
