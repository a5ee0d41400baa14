// What is asked for serves as many pods as there is room for, whatever the room is.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { noAmounts, type SchedulingNode, type SchedulingPod } from '#kube/scheduler/types.ts';
import { demandOf, portionsOf, type DemandAgent, type DemandAgents } from './demand.ts';

test('portionsOf() can be served for any number of pods, largest first', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 5_000 }),
      fc.integer({ min: 0, max: 6_000 }),
      (count, room) => {
        let left = room;
        for (const portion of portionsOf(count)) if (portion <= left) left -= portion;
        assert.equal(room - left, Math.min(room, count));
      },
    ),
    { numRuns: 2_000 },
  );
});

function aPod(uid: string, more: Partial<SchedulingPod> = {}): SchedulingPod {
  return {
    uid,
    namespace: 'default',
    name: uid,
    priority: 0,
    createdAt: 0,
    requests: { ...noAmounts, cpuMilli: 100 },
    extended: {},
    hostPorts: [],
    nodeName: undefined,
    nodeSelector: {},
    requiredTerms: undefined,
    preferredTerms: [],
    tolerations: [],
    spreadKey: '',
    ...more,
  };
}

function anAgent(id: string, more: Partial<SchedulingNode> = {}): DemandAgent {
  const amounts = {
    cpuMilli: 4_000,
    memoryBytes: 2 ** 32,
    ephemeralStorageBytes: 2 ** 33,
    gpus: 0,
  };
  const node: SchedulingNode = {
    name: `n${id}`,
    agentId: id,
    labels: {},
    taints: [],
    isUnschedulable: false,
    capacity: amounts,
    free: amounts,
    freePorts: [],
    usedHostPorts: [],
    spreadCounts: new Map(),
    executorOverhead: noAmounts,
    ...more,
  };
  return { node, managedPorts: [], isExecutorRunning: true };
}

function of(agents: readonly DemandAgent[]): DemandAgents {
  return { count: agents.length, at: (index) => agents[index] };
}

test('demandOf() asks a hundred agents, not the same ones each time, and those that one pod needs', () => {
  const agents = Array.from({ length: 300 }, (_, i) => anAgent(String(i)));
  agents[299] = anAgent('299', { labels: { disk: 'fast' } });
  const only = aPod('only', { nodeSelector: { disk: 'fast' } });
  const first = demandOf([aPod('p')], of(agents), 0) ?? [];
  const second = demandOf([aPod('p')], of(agents), 150) ?? [];
  assert.equal(first.length, 100);
  assert.equal(second.length, 100);
  assert.ok(!first.some(({ agentId }) => second.some((one) => one.agentId === agentId)));
  const both = demandOf([aPod('p'), only], of(agents), 0) ?? [];
  assert.equal(both.filter(({ agentId }) => agentId === '299').length, 2);
  assert.deepEqual(
    demandOf([only], of(agents), 7)?.map(({ agentId }) => agentId),
    ['299'],
  );
});

test('demandOf() leaves it at whole offers when too much would have to be said', () => {
  const many = Array.from({ length: 101 }, (_, i) => aPod(`p${i}`));
  assert.equal(demandOf(many, of([anAgent('a')]), 0), undefined);
  assert.equal(demandOf(many.slice(1), of([anAgent('a')]), 0)?.length, 7);
  const agents = Array.from({ length: 100 }, (_, i) => anAgent(String(i)));
  const pods = Array.from({ length: 30 }, (_, i) =>
    aPod(`p${i}`, { requests: { ...noAmounts, cpuMilli: i + 1 } }),
  );
  assert.equal(demandOf(pods, of(agents), 0), undefined);
  assert.equal(demandOf([aPod('p', { nodeSelector: { no: 'where' } })], of(agents), 0), undefined);
});
