// Leases of API servers are named as upstream names them, renewed, and go when nobody renews them.
import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import test from 'node:test';
import { startOwnServer } from '#test/support/step-target.ts';
import { sendStep } from '#test/support/step-player.ts';
import { identityName } from './identity-name.ts';

test('identityName() is what a kube-apiserver of the same machine has', () => {
  // Seen on a machine named vm.
  assert.equal(identityName('vm'), 'apiserver-wlv32tlttr4jl3gtroqexyxapa');
});

test('a server has a lease from its start', async () => {
  const own = await startOwnServer();
  try {
    const path = `/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/${identityName(hostname())}`;
    const { status, body } = await sendStep(own.target, { name: 'lease', method: 'GET', path });
    assert.equal(status, 200);
    const { metadata, spec } = body as {
      metadata: { labels: Record<string, string> };
      spec: { leaseDurationSeconds: number; renewTime: string };
    };
    assert.equal(metadata.labels['apiserver.kubernetes.io/identity'], 'kube-apiserver');
    assert.equal(spec.leaseDurationSeconds, 3_600);
    assert.match(spec.renewTime, /\.\d{6}Z$/);
  } finally {
    await own.close();
  }
});
