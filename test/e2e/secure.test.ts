// The commands of docs/operating/security.md that turn everything on at once, as a user would type them: then
// a pod runs, a plain task runs, and nobody gets in without a name or without TLS.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { eventually, freeOffset, root, run } from '#test/support/cluster.ts';
import { kubectlFolder } from '#test/support/kubectl.ts';

const home = mkdtempSync(join(tmpdir(), 'strata-secure-'));
const offset = await freeOffset();
const master = `127.0.0.1:${5050 + offset}`;
const env = { STRATA_HOME: home, STRATA_PORT_OFFSET: String(offset), STRATA_MASTER: master };

after(async () => {
  await run([join(root, 'strata'), 'down'], { env });
  rmSync(home, { recursive: true, force: true });
});

function commands(): string {
  const page = readFileSync(join(root, 'docs/operating/security.md'), 'utf8');
  return /```sh\n([\s\S]*?)```/.exec(page)?.[1] ?? 'false';
}

/** What curl says of a path of the master, the status last. */
async function curl(...words: readonly string[]): Promise<string> {
  return (await run(['curl', '-s', '-m', '10', '-w', ' %{http_code}', ...words])).stdout;
}

test('everything speaks TLS, and everybody is known', async () => {
  const done = await run(['bash', '-ec', commands()], { env, timeoutMs: 300_000 });
  assert.equal(done.status, 0, done.stdout + done.stderr);
  assert.match(done.stdout, /^hello, known and unseen$/m);
  assert.match(done.stdout, /^agent +https:\S+ +active/m);
  const ca = join(home, 'security/cert.pem');
  const [name, secret] = readFileSync(join(home, 'security/kube'), 'utf8').trim().split(' ');
  const state = await curl(
    '--cacert',
    ca,
    '-u',
    `${name}:${secret}`,
    `https://${master}/frameworks`,
  );
  assert.match(state, /"principal":"kube"/);
  assert.match(await curl('--cacert', ca, `https://${master}/state`), / 401$/);
  assert.equal(await curl(`http://${master}/health`), ' 000');
});

test('a pod runs: its executor has a token, and a certificate to trust', async () => {
  const folder = await kubectlFolder();
  const kubectl = (...words: readonly string[]) =>
    run(['kubectl', '--kubeconfig', join(home, 'kube/default/kubeconfig'), ...words], {
      env: { PATH: `${folder}:${process.env['PATH']}` },
    });
  await kubectl('create', 'deployment', 'web', '--image=host', '--', 'sleep', '1000');
  await eventually('the pod runs', async () => {
    const { stdout } = await kubectl('get', 'pods');
    return /web-\S+ +1\/1 +Running/.test(stdout) ? true : undefined;
  });
});
