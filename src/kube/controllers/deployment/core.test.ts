// What a Deployment is told of its new set.
import assert from 'node:assert/strict';
import test from 'node:test';
import type { KubeObject } from '#kube/meta/object.ts';
import { reconcileDeployment } from './core.ts';
import { REVISION } from './sets.ts';

const labels = { app: 'a' };
const deployment: KubeObject = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'a', namespace: 'n', uid: 'u', generation: 1, annotations: { mine: 'yes' } },
  spec: {
    replicas: 2,
    selector: { matchLabels: labels },
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
    template: { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'b:1' }] } },
  },
};

test('the revision is written with the status: on its own it would be another generation', () => {
  const { effects } = reconcileDeployment({ deployment, sets: [], hasPods: () => false }, 0);
  const written = effects.filter(
    (one) =>
      (one.kind === 'update' || one.kind === 'patch') && one.resource.resource === 'deployments',
  );
  assert.equal(written.length, 1);
  const [only] = written;
  assert.ok(only?.kind === 'update');
  assert.equal(only.subresource, 'status');
  assert.deepEqual(only.object.metadata.annotations, { mine: 'yes', [REVISION]: '1' });
});
