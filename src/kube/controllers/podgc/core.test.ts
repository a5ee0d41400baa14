// Which pods are collected, and what is said of them before.
import assert from 'node:assert/strict';
import test from 'node:test';
import type { KubeObject } from '#kube/meta/object.ts';
import { collectPods, QUARANTINE_MS } from './core.ts';

const now = Date.parse('2026-01-01T00:10:00Z');
const outOfService = { key: 'node.kubernetes.io/out-of-service', effect: 'NoExecute' };

function pod(name: string, more: { node?: string; phase?: string; going?: boolean }): KubeObject {
  const { node, phase = 'Running', going } = more;
  const metadata = { name, generation: 2, finalizers: ['example.com/kept'] };
  const deletionTimestamp = '2026-01-01T00:05:00Z';
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: going === true ? { ...metadata, deletionTimestamp } : metadata,
    spec: { nodeName: node },
    status: { phase },
  };
}

function node(name: string, ready: string, taints: readonly object[]): KubeObject {
  const conditions = [{ type: 'Ready', status: ready }];
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name },
    spec: { taints },
    status: { conditions },
  };
}

/** What is written of each pod, in words. */
function collected(pods: readonly KubeObject[], missing: readonly string[] = []): string[] {
  const nodes = new Map(
    [
      node('well', 'True', []),
      node('dead', 'Unknown', [outOfService]),
      node('back', 'True', [outOfService]),
      node('away', 'False', []),
    ].map((one) => [one.metadata.name ?? '', one]),
  );
  const missingSince = new Map(missing.map((name) => [name, now - QUARANTINE_MS]));
  return collectPods({ pods, nodes, missingSince }, now).effects.map((effect) => {
    if (effect.kind === 'delete') return `delete ${effect.object.metadata.name}`;
    assert.ok(effect.kind === 'update' && effect.subresource === 'status');
    const { phase, conditions } = effect.object['status'];
    return `${effect.object.metadata.name} ${phase} ${JSON.stringify(conditions)}`;
  });
}

test('a pod that is going is taken off a node that is out of service, and said to have failed', () => {
  const names = ['well', 'dead', 'back', 'away'];
  const pods = names.map((name) => pod(`on-${name}`, { node: name, going: true }));
  pods.push(pod('stays', { node: 'dead' }));
  pods.push(pod('over', { node: 'dead', phase: 'Succeeded', going: true }));
  assert.deepEqual(collected(pods), ['on-dead Failed []', 'delete on-dead', 'delete over']);
});

test('a pod that is going and was never placed has failed', () => {
  const pods = [pod('unplaced', { going: true, phase: 'Pending' }), pod('waits', {})];
  assert.deepEqual(collected(pods), ['unplaced Failed []', 'delete unplaced']);
});

test('a pod of a node that is gone is a target of disruption, of its generation', () => {
  const condition = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'DeletionByPodGC',
    message: 'PodGC: node no longer exists',
    observedGeneration: 2,
    lastTransitionTime: '2026-01-01T00:10:00Z',
  };
  const pods = [pod('orphan', { node: 'gone' }), pod('young', { node: 'just-gone' })];
  assert.deepEqual(collected(pods, ['gone']), [
    `orphan Failed ${JSON.stringify([condition])}`,
    'delete orphan',
  ]);
});
