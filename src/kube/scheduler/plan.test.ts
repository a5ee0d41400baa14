// Placement decisions as tables: one pod or a few, some nodes, the outcome.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { KubeObject } from '#kube/meta/object.ts';
import { planPods } from './plan.ts';
import { projectPod } from './project.ts';
import { podRequests } from './requests.ts';
import { aSchedulingNode } from './scheduling-fixture.ts';
import { noAmounts, type SchedulingNode, type SchedulingPod } from './types.ts';

function aPod(name: string, spec: Record<string, unknown> = {}, cpu = '100m'): KubeObject {
  const resources = { requests: { cpu, memory: '64Mi' } };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', uid: name },
    spec: { containers: [{ name: 'c', resources }], ...spec },
  };
}

const amounts = { cpuMilli: 1_000, memoryBytes: 2 ** 30, ephemeralStorageBytes: 2 ** 30, gpus: 0 };

function aNode(name: string, more: Partial<SchedulingNode> = {}): SchedulingNode {
  return aSchedulingNode(name, amounts, { labels: { 'kubernetes.io/hostname': name }, ...more });
}

function place(pods: readonly SchedulingPod[], nodes: readonly SchedulingNode[]): string[] {
  const plan = planPods({ pods, nodes, managedPorts: new Map() });
  return [
    ...plan.placements.map((placement) => `${placement.pod.name} on ${placement.nodeName}`),
    ...plan.unplaced.map(({ pod, message }) => `${pod.name}: ${message}`),
  ];
}

const requireLabel = (key: string, operator: string, values: string[] = []) => ({
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key, operator, values }] }],
      },
    },
  },
});

const gpuTaint = { key: 'gpu', value: 'yes', effect: 'NoSchedule' };
const cases: readonly {
  name: string;
  spec?: Record<string, unknown>;
  cpu?: string;
  nodes: readonly SchedulingNode[];
  want: string[];
}[] = [
  { name: 'with no node says so', nodes: [], want: ['p: no nodes available to schedule pods'] },
  {
    name: 'counts the reasons of all nodes',
    cpu: '3',
    nodes: [aNode('a'), aNode('b', { isUnschedulable: true })],
    want: ['p: 0/2 nodes are available: 1 Insufficient cpu, 1 node(s) were unschedulable.'],
  },
  {
    name: 'obeys the node selector',
    spec: { nodeSelector: { disk: 'ssd' } },
    nodes: [aNode('a'), aNode('b', { labels: { disk: 'ssd' } })],
    want: ['p on b'],
  },
  {
    name: 'keeps off tainted nodes',
    nodes: [aNode('a', { taints: [gpuTaint] })],
    want: ['p: 0/1 nodes are available: 1 node(s) had untolerated taint {gpu: yes}.'],
  },
  {
    name: 'tolerates what it tolerates',
    spec: { tolerations: [{ key: 'gpu', operator: 'Exists' }] },
    nodes: [aNode('a', { taints: [gpuTaint] })],
    want: ['p on a'],
  },
  {
    name: 'compares with Gt',
    spec: requireLabel('cores', 'Gt', ['8']),
    nodes: [aNode('a', { labels: { cores: '8' } }), aNode('b', { labels: { cores: '16' } })],
    want: ['p on b'],
  },
  {
    name: 'goes to the chosen node even when it is cordoned',
    spec: { nodeName: 'b' },
    nodes: [aNode('a'), aNode('b', { isUnschedulable: true })],
    want: ['p on b'],
  },
  {
    name: 'keeps room for an executor that does not run yet',
    cpu: '950m',
    nodes: [aNode('a', { executorOverhead: { ...noAmounts, cpuMilli: 100 } })],
    want: ['p: 0/1 nodes are available: 1 Insufficient cpu.'],
  },
];
for (const { name, spec, cpu, nodes, want } of cases) {
  test(`planPods() ${name}`, () => {
    assert.deepEqual(place([projectPod(aPod('p', spec, cpu))], nodes), want);
  });
}

test('planPods() never gives one host port twice on a node', () => {
  const spec = { containers: [{ name: 'c', ports: [{ containerPort: 80, hostPort: 8080 }] }] };
  const pods = ['p', 'q'].map((name) => projectPod(aPod(name, spec)));
  assert.deepEqual(place(pods, [aNode('a')]), [
    'p on a',
    "q: 0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.",
  ]);
});

test('planPods() spreads siblings', () => {
  const pods = ['p', 'q'].map((name) => {
    const pod = aPod(name);
    pod.metadata.ownerReferences = [
      { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'r', uid: 'r', controller: true },
    ];
    return projectPod(pod);
  });
  const plan = planPods({ pods, nodes: [aNode('a'), aNode('b')], managedPorts: new Map() });
  assert.deepEqual(new Set(plan.placements.map(({ nodeName }) => nodeName)), new Set(['a', 'b']));
});

test('planPods() takes the higher priority first', () => {
  const pods = [
    projectPod(aPod('low', {}, '800m')),
    projectPod(aPod('high', { priority: 9 }, '800m')),
  ];
  assert.deepEqual(place(pods, [aNode('a')]), [
    'high on a',
    'low: 0/1 nodes are available: 1 Insufficient cpu.',
  ]);
});

test('planPods() never places more on a node than it has', () => {
  const cpus = fc.array(fc.integer({ min: 1, max: 900 }), { maxLength: 30 });
  fc.assert(
    fc.property(cpus, fc.integer({ min: 1, max: 4 }), (requests, nodeCount) => {
      const pods = requests.map((cpu, i) => projectPod(aPod(`p${i}`, {}, `${cpu}m`)));
      const nodes = Array.from({ length: nodeCount }, (_, i) => aNode(`n${i}`));
      const plan = planPods({ pods, nodes, managedPorts: new Map() });
      assert.equal(plan.placements.length + plan.unplaced.length, pods.length);
      for (const node of nodes) {
        const here = plan.placements.filter(({ nodeName }) => nodeName === node.name);
        const used = here.reduce((sum, { pod }) => sum + pod.requests.cpuMilli, 0);
        assert.ok(used <= node.free.cpuMilli);
      }
    }),
  );
});

test('podRequests() takes the larger of running containers and init steps, sidecars in both', () => {
  const cpu = (value: string, more = {}) => ({ resources: { requests: { cpu: value } }, ...more });
  const pod = aPod('p', {
    containers: [cpu('300m'), cpu('200m')],
    initContainers: [cpu('100m', { restartPolicy: 'Always' }), cpu('900m')],
  });
  assert.equal(podRequests(pod).cpuMilli, 1_000);
});
