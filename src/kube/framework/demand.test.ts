// What is asked for serves as many pods as there is room for, whatever the room is.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { aSchedulingNode, aSchedulingPod } from '#kube/scheduler/scheduling-fixture.ts';
import { noAmounts, type SchedulingNode } from '#kube/scheduler/types.ts';
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

const amounts = { cpuMilli: 4_000, memoryBytes: 2 ** 32, ephemeralStorageBytes: 2 ** 33, gpus: 0 };

function anAgent(id: string, more: Partial<SchedulingNode> = {}): DemandAgent {
  const node = aSchedulingNode(`n${id}`, amounts, { agentId: id, ...more });
  return { node, managedPorts: [], isExecutorRunning: true };
}

function of(agents: readonly DemandAgent[]): DemandAgents {
  return { count: agents.length, at: (index) => agents[index] };
}

test('demandOf() asks a hundred agents, not the same ones each time, and those that one pod needs', () => {
  const agents = Array.from({ length: 300 }, (_, i) => anAgent(String(i)));
  agents[299] = anAgent('299', { labels: { disk: 'fast' } });
  const only = aSchedulingPod('only', { nodeSelector: { disk: 'fast' } });
  const first = demandOf([aSchedulingPod('p')], of(agents), 0) ?? [];
  const second = demandOf([aSchedulingPod('p')], of(agents), 150) ?? [];
  assert.equal(first.length, 100);
  assert.equal(second.length, 100);
  assert.ok(!first.some(({ agentId }) => second.some((one) => one.agentId === agentId)));
  const both = demandOf([aSchedulingPod('p'), only], of(agents), 0) ?? [];
  assert.equal(both.filter(({ agentId }) => agentId === '299').length, 2);
  assert.deepEqual(
    demandOf([only], of(agents), 7)?.map(({ agentId }) => agentId),
    ['299'],
  );
});

test('demandOf() leaves it at whole offers when too much would have to be said', () => {
  const many = Array.from({ length: 101 }, (_, i) => aSchedulingPod(`p${i}`));
  assert.equal(demandOf(many, of([anAgent('a')]), 0), undefined);
  assert.equal(demandOf(many.slice(1), of([anAgent('a')]), 0)?.length, 7);
  const agents = Array.from({ length: 100 }, (_, i) => anAgent(String(i)));
  const pods = Array.from({ length: 30 }, (_, i) =>
    aSchedulingPod(`p${i}`, { requests: { ...noAmounts, cpuMilli: i + 1 } }),
  );
  assert.equal(demandOf(pods, of(agents), 0), undefined);
  assert.equal(
    demandOf([aSchedulingPod('p', { nodeSelector: { no: 'where' } })], of(agents), 0),
    undefined,
  );
});
