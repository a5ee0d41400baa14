// A scaler of autoscaling/v2 comes back whole from autoscaling/v1, whatever its metrics are.
import assert from 'node:assert/strict';
import test from 'node:test';
import type { KubeObject } from '#kube/meta/object.ts';
import { autoscalerCodecs } from './autoscaler-codec.ts';

const { v1, v2 } = autoscalerCodecs;
assert.ok(v1 !== undefined && v2 !== undefined);

const cpu = {
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } },
};
const deployment = { kind: 'Deployment', name: 'd', apiVersion: 'apps/v1' };
const metrics: Record<string, object[]> = {
  'of a resource': [cpu],
  'of pods': [
    {
      type: 'Pods',
      pods: {
        metric: { name: 'q', selector: { matchLabels: { a: 'b' } } },
        target: { type: 'AverageValue', averageValue: '5' },
      },
    },
    cpu,
  ],
  'of an object': [
    {
      type: 'Object',
      object: {
        describedObject: deployment,
        target: { type: 'Value', value: '3' },
        metric: { name: 'q' },
      },
    },
  ],
  'of a container': [
    {
      type: 'ContainerResource',
      containerResource: {
        name: 'memory',
        container: 'c',
        target: { type: 'AverageValue', averageValue: '1Gi' },
      },
    },
  ],
  'from outside': [
    {
      type: 'External',
      external: { metric: { name: 'q' }, target: { type: 'AverageValue', averageValue: '5' } },
    },
  ],
};

for (const [name, wanted] of Object.entries(metrics)) {
  void test(`metrics ${name} come back`, async () => {
    const scaler: KubeObject = {
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      metadata: { name: 'a', annotations: { kept: 'yes' } },
      spec: {
        scaleTargetRef: deployment,
        maxReplicas: 3,
        metrics: wanted,
        behavior: {
          scaleDown: {
            selectPolicy: 'Max',
            policies: [{ type: 'Pods', value: 4, periodSeconds: 5 }],
          },
        },
      },
      status: {
        desiredReplicas: 2,
        currentMetrics: [
          {
            type: 'Resource',
            resource: { name: 'cpu', current: { averageUtilization: 9, averageValue: '90m' } },
          },
        ],
        conditions: [{ type: 'AbleToScale', status: 'True', lastTransitionTime: null }],
      },
    };
    const old = v1.read(structuredClone(scaler));
    assert.equal(
      old['spec']?.targetCPUUtilizationPercentage,
      wanted.includes(cpu) ? 70 : undefined,
    );
    assert.equal(old['status']?.currentCPUUtilizationPercentage, 9);
    assert.deepEqual(await v1.write(old), scaler);
  });
}

test('what was stored as v1 is read as v2', () => {
  const stored: KubeObject = {
    apiVersion: 'autoscaling/v1',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'a' },
    spec: { scaleTargetRef: deployment, maxReplicas: 3 },
    status: { currentReplicas: 0, desiredReplicas: 0 },
  };
  assert.deepEqual(v2.read(stored)['spec']?.metrics, [
    {
      type: 'Resource',
      resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } },
    },
  ]);
});
