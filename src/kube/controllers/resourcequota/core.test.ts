// What a quota's status says after a look at its namespace.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '#kube/meta/object.ts';
import { reconcileQuota } from './core.ts';

const quota = (used: Record<string, string>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ResourceQuota',
  metadata: { namespace: 'ns', name: 'q' },
  spec: { hard: { pods: '5' } },
  status: { hard: { pods: '5' }, used },
});
const pod: KubeObject = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec: {} };
const pods = (count: number) => [
  { group: '', resource: 'pods', objects: Array.from({ length: count }, () => pod) },
];

function usedAfter(before: Record<string, string>, count: number, isCharged: boolean): unknown {
  const { effects } = reconcileQuota(quota(before), pods(count), isCharged);
  const [effect] = effects;
  return effect?.kind === 'update' ? effect.object['status'].used : 'as it was';
}

test('reconcileQuota(): a new quota is told what there is', () => {
  assert.deepEqual(usedAfter({}, 2, true), { pods: '2' });
});

test('reconcileQuota(): usage that was charged meanwhile is not taken away before its object can be seen', () => {
  assert.equal(usedAfter({ pods: '2' }, 1, true), 'as it was');
  const { againInMs = Infinity } = reconcileQuota(quota({ pods: '2' }), pods(1), true);
  assert.ok(againInMs <= 1_000);
  assert.deepEqual(usedAfter({ pods: '2' }, 1, false), { pods: '1' });
});

test('reconcileQuota(): more than was charged is told at once', () => {
  assert.deepEqual(usedAfter({ pods: '1' }, 3, true), { pods: '3' });
});
