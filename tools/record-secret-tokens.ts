// Records what a real kube-apiserver with kube-controller-manager shows of tokens in secrets, for
// test/conformance/kube-secret-tokens.test.ts: `node tools/record-secret-tokens.ts KUBECONFIG`.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { playSecretTokens } from '#test/support/secret-tokens.ts';
import { targetOf } from '#test/support/step-target.ts';

const [kubeconfig] = process.argv.slice(2);
if (kubeconfig === undefined) throw new Error('Name the kubeconfig of the server');
const lines = await playSecretTokens(targetOf(kubeconfig));
const file = join(import.meta.dirname, '../test/vectors/kube-secret-tokens.json');
writeFileSync(file, `${JSON.stringify(lines, null, 2)}\n`);
process.stdout.write(`${lines.join('\n')}\n`);
process.exit(0);
