// What counts as a sign of life of a kubelet, how long it may be silent, and what is said of its node then.
import assert from 'node:assert/strict';
import test from 'node:test';
import type { KubeObject } from '#kube/meta/object.ts';
import { leftMs, observe, silence } from './health.ts';

const start = Date.parse('2026-01-01T00:00:00Z');
const time = (seconds: number): string => `2026-01-01T00:00:${String(seconds).padStart(2, '0')}Z`;

function node(heartbeat?: string, more: readonly object[] = []): KubeObject {
  const ready = { type: 'Ready', status: 'True', lastHeartbeatTime: heartbeat };
  const conditions = [...more, ...(heartbeat === undefined ? [] : [ready])];
  const metadata = { name: 'n', creationTimestamp: time(0) };
  return { apiVersion: 'v1', kind: 'Node', metadata, status: { conditions } };
}

const lease = (renewTime?: string): KubeObject => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { name: 'n' },
  spec: { renewTime },
});

test('what is new is a sign of life', () => {
  const known = observe(undefined, node(time(1)), lease(time(1)), start + 1_000);
  assert.equal(leftMs(known, start + 1_000), 50_000);
  const cases: readonly (readonly [string, KubeObject, KubeObject | undefined, boolean])[] = [
    ['nothing', node(time(1)), lease(time(1)), false],
    ['no lease any more', node(time(1)), undefined, false],
    ['a lease of before', node(time(1)), lease(time(0)), false],
    ['a lease without its time', node(time(1)), lease(), false],
    ['a heartbeat', node(time(2)), lease(time(1)), true],
    ['a renewal', node(time(1)), lease(time(2)), true],
    ['its condition is gone', node(), lease(time(1)), true],
  ];
  for (const [name, now, held, isNews] of cases) {
    const { heardAt } = observe(known, now, held, start + 9_000);
    assert.equal(heardAt, start + (isNews ? 9_000 : 1_000), name);
  }
  const unheld = observe(undefined, node(time(1)), undefined, start + 1_000);
  const held = observe(unheld, node(time(1)), lease(time(0)), start + 9_000);
  assert.equal(held.heardAt, start + 9_000);
});

test('a node that has said nothing has a minute since it was made', () => {
  const silent = observe(undefined, node(), undefined, start + 20_000);
  assert.equal(leftMs(silent, start + 20_000), 40_000);
  const renewing = observe(silent, node(), lease(time(30)), start + 30_000);
  assert.equal(leftMs(renewing, start + 30_000), 60_000);
  const reported = observe(silent, node(time(30)), undefined, start + 30_000);
  assert.equal(leftMs(reported, start + 30_000), 50_000);
});

test('silence() says what upstream says', () => {
  const pressures = [
    { type: 'MemoryPressure', status: 'False', reason: 'Enough', lastHeartbeatTime: time(1) },
    { type: 'DiskPressure', status: 'Unknown', reason: 'Before', lastTransitionTime: time(1) },
    { type: 'NetworkUnavailable', status: 'False', reason: 'RouteCreated' },
  ];
  const { effects } = silence(node(time(1), pressures), start + 59_000);
  const stopped = {
    status: 'Unknown',
    reason: 'NodeStatusUnknown',
    message: 'Kubelet stopped posting node status.',
    lastTransitionTime: time(59),
  };
  assert.equal(effects.length, 1);
  const [effect] = effects;
  assert.ok(effect?.kind === 'update' && effect.subresource === 'status');
  assert.deepEqual(effect.object['status'].conditions, [
    { type: 'MemoryPressure', lastHeartbeatTime: time(1), ...stopped },
    pressures[1],
    pressures[2],
    { type: 'Ready', lastHeartbeatTime: time(1), ...stopped },
    {
      type: 'PIDPressure',
      status: 'Unknown',
      reason: 'NodeStatusNeverUpdated',
      message: 'Kubelet never posted node status.',
      lastHeartbeatTime: time(0),
      lastTransitionTime: time(59),
    },
  ]);
});
