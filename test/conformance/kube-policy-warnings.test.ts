// What is doubtful about expressions of policies, by the types that they match, is told as kube-controller-manager
// v1.37 tells it (recorded by tools/record-policy-warnings.ts).
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { KubeClient } from '#kube/client/client.ts';
import { policyAnswers, type PolicyAnswer } from '#test/support/policy-warnings.ts';
import { startOwnCluster } from '#test/support/whole-clusters.ts';

const recording = JSON.parse(
  readFileSync(join(import.meta.dirname, '../vectors/kube-policy-warnings.json'), 'utf8'),
) as Readonly<Record<string, PolicyAnswer>>;

test('expressions of policies are doubted as upstream doubts them', async () => {
  const home = mkdtempSync(join(tmpdir(), 'strata-policy-warnings-'));
  const cluster = await startOwnCluster({ home, flags: {}, serviceCidr: '198.18.0.0/16' });
  const admin = JSON.parse(readFileSync(join(home, 'kubeconfig'), 'utf8')) as object;
  const client = KubeClient.fromKubeconfig(admin, {});
  try {
    const answers = await policyAnswers(client);
    assert.deepEqual(Object.keys(answers), Object.keys(recording));
    for (const [name, answer] of Object.entries(recording)) {
      assert.deepEqual(answers[name], answer, name);
    }
  } finally {
    await client.close();
    await cluster.close();
    rmSync(home, { recursive: true, force: true });
  }
});
