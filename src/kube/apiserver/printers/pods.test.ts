// The one word for what a pod does, its ready containers and restarts, by what its containers say
// (printPod of Kubernetes v1.37).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '#kube/meta/object.ts';
import { podCells } from './pods.ts';

type Json = Record<string, unknown>;
const NOW = Date.parse('2026-01-01T00:10:00Z');
const at = (minute: number): string => `2026-01-01T00:0${minute}:00Z`;

function pod(more: { spec?: Json; status?: Json; metadata?: Json }): KubeObject {
  return {
    metadata: { name: 'p', creationTimestamp: at(0), ...more.metadata },
    spec: { containers: [{ name: 'a' }, { name: 'b' }], ...more.spec },
    status: { phase: 'Running', ...more.status },
  } as unknown as KubeObject;
}

const runs = { ready: true, state: { running: {} } };
const ended = (exitCode: number, more: Json = {}): Json => ({
  state: { terminated: { exitCode, ...more } },
});
const init = (statuses: Json[], policy?: string): { spec: Json; status: Json } => ({
  spec: { initContainers: statuses.map((_, i) => ({ name: `i${i}`, restartPolicy: policy })) },
  status: {
    phase: 'Pending',
    initContainerStatuses: statuses.map((one, i) => ({ name: `i${i}`, ...one })),
  },
});
const mains = (...statuses: Json[]): { status: Json } => ({
  status: { containerStatuses: statuses },
});
const going = { metadata: { deletionTimestamp: at(1) } };

const cases: readonly (readonly [string, KubeObject, readonly [string, string, string]])[] = [
  ['all run', pod(mains(runs, runs)), ['2/2', 'Running', '0']],
  ['nothing is known', pod({ status: { phase: 'Pending' } }), ['0/2', 'Pending', '0']],
  [
    'scheduling waits for gates',
    pod({
      status: {
        phase: 'Pending',
        conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }],
      },
    }),
    ['0/2', 'SchedulingGated', '0'],
  ],
  [
    'one waits',
    pod(mains(runs, { state: { waiting: { reason: 'CrashLoopBackOff' } }, restartCount: 3 })),
    ['1/2', 'CrashLoopBackOff', '3'],
  ],
  [
    'restarts have an age',
    pod(
      mains(runs, {
        ...runs,
        restartCount: 2,
        lastState: { terminated: { finishedAt: at(8) } },
      }),
    ),
    ['2/2', 'Running', '2 (2m ago)'],
  ],
  [
    'one is done, one runs and is ready',
    pod({
      status: {
        containerStatuses: [ended(0, { reason: 'Completed' }), runs],
        conditions: [{ type: 'Ready', status: 'True' }],
      },
    }),
    ['1/2', 'Running', '0'],
  ],
  [
    'one is done, one runs',
    pod(mains(ended(0, { reason: 'Completed' }), runs)),
    ['1/2', 'NotReady', '0'],
  ],
  [
    'one is done, another failed',
    pod(mains(ended(0, { reason: 'Completed' }), ended(1, { reason: 'Error' }))),
    ['0/2', 'Error', '0'],
  ],
  ['one was killed', pod(mains(ended(137, { signal: 9 }))), ['0/2', 'Signal:9', '0']],
  ['it goes', pod({ ...going, ...mains(runs, runs) }), ['2/2', 'Terminating', '0']],
  ['it goes, and is over', pod({ ...going, status: { phase: 'Failed' } }), ['0/2', 'Failed', '0']],
  [
    'its node is lost',
    pod({ ...going, status: { phase: 'Running', reason: 'NodeLost' } }),
    ['0/2', 'Unknown', '0'],
  ],
  ['the second init container', pod(init([ended(0), {}])), ['0/2', 'Init:1/2', '0']],
  ['an init container failed', pod(init([ended(3)])), ['0/2', 'Init:ExitCode:3', '0']],
  [
    'an init container waits',
    pod(init([{ state: { waiting: { reason: 'ErrImagePull' } }, restartCount: 1 }])),
    ['0/2', 'Init:ErrImagePull', '1'],
  ],
  [
    'a sidecar that has started counts',
    pod(init([{ ...runs, started: true, restartCount: 1 }], 'Always')),
    ['1/3', 'Pending', '1'],
  ],
];
for (const [what, object, want] of cases) {
  test(what, () => assert.deepEqual(podCells(object, NOW).slice(1, 4), want));
}

test('readiness gates are counted', () => {
  const gates = [{ conditionType: 'x' }, { conditionType: 'y' }];
  const conditions = [{ type: 'x', status: 'True' }];
  const cells = podCells(pod({ spec: { readinessGates: gates }, status: { conditions } }), NOW);
  assert.equal(cells.at(-1), '1/2');
});
