// Tokens in secrets: the controllers make them and clear them away, the server lets them in, notes their use and
// says what is wrong with them, as a kube-apiserver v1.37 with its controller manager.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { createEnv } from '#env/node/env.ts';
import { TokenAuthority } from '#kube/apiserver/tokens.ts';
import { KubeClient } from '#kube/client/client.ts';
import { startControllers } from '#kube/controllers/run.ts';
import { playSecretTokens } from '#test/support/secret-tokens.ts';
import { startOwnServer } from '#test/support/step-target.ts';

const recorded = JSON.parse(
  readFileSync(join(import.meta.dirname, '../vectors/kube-secret-tokens.json'), 'utf8'),
) as readonly string[];

test('tokens in secrets are made, used and cleared away as upstream', async () => {
  const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
  const own = await startOwnServer();
  const client = KubeClient.fromKubeconfig(join(own.home, 'kubeconfig'));
  const tokens = await TokenAuthority.open(join(own.home, 'pki'));
  const { caCert: rootCa } = own.server.authority;
  const controllers = startControllers({ client, rootCa, tokens }, env);
  try {
    assert.deepEqual(await playSecretTokens(own.target), recorded);
  } finally {
    await controllers.close();
    await client.close();
    await own.close();
  }
});
