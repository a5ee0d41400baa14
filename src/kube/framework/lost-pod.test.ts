// What is written of a pod whose task is gone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lostPodStatus } from './lost-pod.ts';

const why = { reason: 'TaskLost', message: 'gone', now: '2026-01-01T00:00:00Z' };
const pod = (status: object) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p' },
  status,
});

test('what ran is unknown, what had ended stays as it ended, nothing is ready', () => {
  const running = { name: 'a', ready: true, state: { running: { startedAt: 'then' } } };
  const over = { name: 'b', ready: false, state: { terminated: { exitCode: 3 } } };
  const conditions = [
    { type: 'PodScheduled', status: 'True' },
    { type: 'Ready', status: 'True' },
    { type: 'ContainersReady', status: 'False' },
  ];
  const status = lostPodStatus(pod({ conditions, containerStatuses: [running, over] }), why);
  assert.deepEqual(status, {
    phase: 'Failed',
    reason: 'TaskLost',
    message: 'gone',
    conditions: [
      { type: 'Ready', status: 'False', reason: 'PodFailed', lastTransitionTime: why.now },
    ],
    containerStatuses: [
      {
        name: 'a',
        ready: false,
        started: false,
        state: {
          terminated: {
            exitCode: 137,
            reason: 'ContainerStatusUnknown',
            message: 'The container could not be located when the pod was terminated',
            startedAt: 'then',
          },
        },
      },
      { name: 'b', ready: false, started: false, state: { terminated: { exitCode: 3 } } },
    ],
  });
});

test('a pod that was never seen on its node has only its end', () => {
  assert.deepEqual(lostPodStatus(pod({}), why), {
    phase: 'Failed',
    reason: 'TaskLost',
    message: 'gone',
  });
});
