// The administrator's token: who has it, how long, and how it is withdrawn.
import assert from 'node:assert/strict';
import { rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { senderTo, type Target } from '#test/support/kube-sender.ts';
import { startOwnServer, targetOf, type OwnServer } from '#test/support/step-target.ts';

let own: OwnServer;

before(async () => {
  own = await startOwnServer();
});
after(() => own.close());

const kubeconfig = (): string => join(own.home, 'kubeconfig');
const file = (): string => join(own.home, 'pki/kubernetes-admin.token');

function tokenOf({ headers }: Target): string {
  return headers['authorization'] ?? '';
}

/** The status, and what the server knows of who asks. */
async function whoIs(authorization: string) {
  const body = JSON.stringify({
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'SelfSubjectReview',
  });
  const { status, bytes } = await senderTo(targetOf(kubeconfig()))({
    method: 'POST',
    path: '/apis/authentication.k8s.io/v1/selfsubjectreviews',
    headers: { authorization, 'content-type': 'application/json' },
    body,
  });
  const { status: review } = JSON.parse(bytes.toString()) as { status: { userInfo?: object } };
  return { status, user: review.userInfo };
}

const admin = {
  status: 201,
  user: { username: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] },
};

test('the kubeconfig has it, its file is for its owner only, and nothing like it is taken', async () => {
  const token = tokenOf(targetOf(kubeconfig()));
  assert.match(token, /^Bearer [\w-]{43}$/);
  assert.deepEqual(await whoIs(token), admin);
  assert.equal(statSync(file()).mode & 0o777, 0o600);
  assert.equal((await whoIs(token.slice(0, -1))).status, 401);
  assert.equal((await whoIs(`${token}x`)).status, 401);
});

test('it outlives the server, and goes with its file', async () => {
  const token = tokenOf(targetOf(kubeconfig()));
  await own.restart({});
  assert.deepEqual(await whoIs(token), admin);
  rmSync(file());
  await own.restart({});
  assert.equal((await whoIs(token)).status, 401);
  const next = tokenOf(targetOf(kubeconfig()));
  assert.deepEqual(await whoIs(next), admin);
  // What is no token is not one that anybody could have.
  writeFileSync(file(), '\n');
  await own.restart({});
  assert.match(tokenOf(targetOf(kubeconfig())), /^Bearer [\w-]{43}$/);
});
