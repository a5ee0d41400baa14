// What somebody is told that they may do is what all authorizers can list.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { sendStep } from '#test/support/step-player.ts';
import type { Target } from '#test/support/kube-sender.ts';
import { startOwnServer } from '#test/support/step-target.ts';

const folder = mkdtempSync(join(tmpdir(), 'strata-test-rules-'));
after(() => rmSync(folder, { recursive: true }));
const policies = join(folder, 'policies');
writeFileSync(policies, '{"user":"ann","readonly":true,"resource":"pods"}\n{"user":"bob"}\n');
const hook = join(folder, 'hook');
writeFileSync(
  hook,
  JSON.stringify({ clusters: [{ name: 'a', cluster: { server: 'http://127.0.0.1:1' } }] }),
);

async function statusOf(target: Target, ...as: readonly string[]): Promise<unknown> {
  const [user = '', group] = as;
  const headers: Record<string, string> = { 'impersonate-user': user };
  if (group !== undefined) headers['impersonate-group'] = group;
  const answer = await sendStep(target, {
    name: 'rules',
    method: 'POST',
    path: '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews',
    body: { spec: { namespace: 'default' } },
    headers,
  });
  assert.equal(answer.status, 201);
  return (answer.body as { status: unknown }).status;
}

const all = ['*'];
const allRules = {
  resourceRules: [{ verbs: all, apiGroups: all, resources: all }],
  nonResourceRules: [{ verbs: all, nonResourceURLs: all }],
};
interface Told {
  readonly incomplete: boolean;
  readonly evaluationError: string;
  readonly nonResourceRules: readonly unknown[];
}

test('each authorizer adds what it knows', async () => {
  const own = await startOwnServer({ flags: { authorizationMode: 'AlwaysAllow' } });
  try {
    assert.deepEqual(await statusOf(own.target, 'ann'), { ...allRules, incomplete: false });

    let target = await own.restart({
      flags: {
        authorizationMode: 'ABAC,Webhook',
        authorizationPolicyFile: policies,
        authorizationWebhookConfigFile: hook,
      },
    });
    assert.deepEqual(await statusOf(target, 'bob'), {
      ...allRules,
      incomplete: true,
      evaluationError: 'webhook authorizer does not support user rule resolution',
    });

    target = await own.restart({
      flags: { authorizationMode: 'Node,RBAC,ABAC', authorizationPolicyFile: policies },
    });
    const path = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings';
    const bound = await sendStep(target, {
      name: 'bind',
      method: 'POST',
      path,
      body: {
        metadata: { name: 'dangling' },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'gone' },
        subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'system:nodes' }],
      },
    });
    assert.equal(bound.status, 201);
    const evaluationError =
      '[node authorizer does not support user rule resolution, clusterrole.rbac.authorization.k8s.io "gone" not found]';
    const status = (await statusOf(target, 'system:node:a', 'system:nodes')) as Told;
    assert.equal(status.incomplete, true);
    assert.equal(status.evaluationError, evaluationError);
    // Of the bootstrap roles.
    assert.ok(status.nonResourceRules.length > 0);
  } finally {
    await own.close();
  }
});
