// Records what kube-controller-manager says of doubtful expressions of policies, for
// test/conformance/kube-policy-warnings.test.ts: `node tools/record-policy-warnings.ts BINDIR`, with etcd,
// kube-apiserver and kube-controller-manager v1.37 there.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubeClient } from '#kube/client/client.ts';
import { Authority } from '#kube/pki/authority.ts';
import { policyAnswers } from '#test/support/policy-warnings.ts';
import { ADMIN_TOKEN, adminOf, startRealCluster } from '#test/support/whole-clusters.ts';

const [bin] = process.argv.slice(2);
if (bin === undefined) throw new Error('Name the folder of the servers');
const home = mkdtempSync(join(tmpdir(), 'strata-policy-warnings-'));
const signer = join(home, 'signer');
await Authority.open(signer, Date.now());
const tokens = join(home, 'tokens.csv');
writeFileSync(tokens, `${ADMIN_TOKEN},admin,u1,system:masters\n`);
const cluster = await startRealCluster({
  bin,
  signer,
  home: join(home, 'real'),
  certificates: join(home, 'certificates'),
  flags: { 'token-auth-file': tokens, 'authorization-mode': 'Node,RBAC' },
  serviceCidr: '198.18.0.0/16',
});
const client = KubeClient.fromKubeconfig(adminOf(cluster.port));
try {
  const answers = await policyAnswers(client);
  const file = join(import.meta.dirname, '../test/vectors/kube-policy-warnings.json');
  writeFileSync(file, `${JSON.stringify(answers, undefined, 1)}\n`);
} finally {
  await client.close();
  await cluster.close();
  rmSync(home, { recursive: true, force: true });
}
