// Certificates end to end: clients ask, kubectl approves, our controllers sign, and the API server
// takes the certificates; a node renews its own by itself and is held to what is its own.
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { webcrypto, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import * as x509 from '@peculiar/x509';
import { createEnv } from '#env/node/env.ts';
import { KubeClient } from '#kube/client/client.ts';
import { startControllers } from '#kube/controllers/run.ts';
import { eventually, run } from '#test/support/cluster.ts';
import { kubectlFolder } from '#test/support/kubectl.ts';
import { startOwnServer } from '#test/support/step-target.ts';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

void test('a certificate is asked for, approved, signed and used', async () => {
  const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
  const folder = mkdtempSync(join(tmpdir(), 'strata-test-certificates-'));
  const own = await startOwnServer();
  const kubeconfig = join(own.home, 'kubeconfig');
  const program = join(await kubectlFolder(), 'kubectl');
  const client = KubeClient.fromKubeconfig(kubeconfig);
  const { authority } = own.server;
  const controllers = startControllers(
    { client, rootCa: authority.caCert, signer: authority },
    env,
  );
  const kubectl = async (args: readonly string[], config = kubeconfig, input = '') =>
    await run([program, '--kubeconfig', config, ...args], { input });
  const must = async (
    args: readonly string[],
    config = kubeconfig,
    input = '',
  ): Promise<string> => {
    const { status, stdout, stderr } = await kubectl(args, config, input);
    assert.equal(status, 0, stderr);
    return stdout;
  };
  const request = async (
    name: string,
    subject: string,
    signerName: string,
    config = kubeconfig,
  ) => {
    const keys = (await webcrypto.subtle.generateKey(algorithm, true, [
      'sign',
      'verify',
    ])) as webcrypto.CryptoKeyPair;
    const made = await x509.Pkcs10CertificateRequestGenerator.create({
      name: subject,
      keys: keys as never,
      signingAlgorithm: algorithm,
    });
    const key = join(folder, `${name}.key`);
    const bytes = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
    writeFileSync(key, x509.PemConverter.encode(bytes, 'PRIVATE KEY'));
    const spec = {
      request: Buffer.from(made.toString('pem')).toString('base64'),
      signerName,
      usages: ['digital signature', 'key encipherment', 'client auth'],
      expirationSeconds: 3_600,
    };
    const object = {
      apiVersion: 'certificates.k8s.io/v1',
      kind: 'CertificateSigningRequest',
      metadata: { name },
      spec,
    };
    await must(['create', '-f', '-'], config, JSON.stringify(object));
    return key;
  };
  const issued = async (name: string): Promise<string> =>
    await eventually(`a certificate for ${name}`, async () => {
      const found = await must(['get', 'csr', name, '-o', 'jsonpath={.status.certificate}']);
      return found === '' ? undefined : Buffer.from(found, 'base64').toString();
    });
  const configFor = (name: string, certificate: string, key: string): string => {
    const config = JSON.parse(readFileSync(kubeconfig, 'utf8')) as {
      users: { user: Record<string, string> }[];
    };
    for (const one of config.users)
      one.user = {
        'client-certificate-data': Buffer.from(certificate).toString('base64'),
        'client-key-data': readFileSync(key).toString('base64'),
      };
    const path = join(folder, `${name}.kubeconfig`);
    writeFileSync(path, JSON.stringify(config));
    return path;
  };
  try {
    await controllers.ready;
    const key = await request('alice', 'O=devs, CN=alice', 'kubernetes.io/kube-apiserver-client');
    assert.match(await must(['get', 'csr', 'alice']), /Pending/);
    await must(['certificate', 'approve', 'alice']);
    const certificate = await issued('alice');
    const { subject, validToDate, validFromDate, keyUsage } = new X509Certificate(certificate);
    assert.equal(subject, 'O=devs\nCN=alice');
    assert.equal(validToDate.getTime() - validFromDate.getTime(), (3_600 + 300) * 1_000);
    assert.deepEqual(keyUsage, ['1.3.6.1.5.5.7.3.2']);
    const alice = configFor('alice', certificate, key);
    const who = JSON.parse(await must(['auth', 'whoami', '-o', 'json'], alice)) as {
      status: { userInfo: { username: string; groups: string[] } };
    };
    assert.equal(who.status.userInfo.username, 'alice');
    assert.deepEqual(who.status.userInfo.groups, ['devs', 'system:authenticated']);

    await request('bob', 'CN=bob', 'kubernetes.io/kube-apiserver-client');
    await must(['certificate', 'deny', 'bob']);
    assert.match(await must(['get', 'csr', 'bob']), /Denied/);

    // What is approved but not what its signer signs fails.
    await request('odd', 'CN=odd', 'kubernetes.io/kube-apiserver-client-kubelet');
    await must(['certificate', 'approve', 'odd']);
    await eventually('a failure', async () => {
      const shown = await must(['get', 'csr', 'odd', '-o', 'json']);
      return shown.includes('subject organization is not system:nodes') ? true : undefined;
    });

    // A node that joins with a token gets its certificate by itself, and renews it with that one.
    const binding = (name: string, role: string, group: string): Promise<string> =>
      must(['create', 'clusterrolebinding', name, `--clusterrole=${role}`, `--group=${group}`]);
    const certificates = 'system:certificates.k8s.io:certificatesigningrequests';
    await binding('join', 'system:node-bootstrapper', 'system:bootstrappers');
    await binding('join-approved', `${certificates}:nodeclient`, 'system:bootstrappers');
    await binding('renew-approved', `${certificates}:selfnodeclient`, 'system:nodes');
    const token = { 'token-id': 'abcdef', 'token-secret': '0123456789abcdef' };
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      type: 'bootstrap.kubernetes.io/token',
      metadata: { name: 'bootstrap-token-abcdef', namespace: 'kube-system' },
      stringData: { ...token, 'usage-bootstrap-authentication': 'true' },
    };
    await must(['create', '-f', '-'], kubeconfig, JSON.stringify(secret));
    const joining = join(folder, 'joining.kubeconfig');
    const config = JSON.parse(readFileSync(kubeconfig, 'utf8')) as { users: unknown[] };
    config.users = [{ name: 'kubernetes-admin', user: { token: 'abcdef.0123456789abcdef' } }];
    writeFileSync(joining, JSON.stringify(config));
    const node = 'O=system:nodes, CN=system:node:joined';
    const signer = 'kubernetes.io/kube-apiserver-client-kubelet';
    const joined = await request('node', node, signer, joining);
    const first = configFor('node', await issued('node'), joined);
    const object = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'joined' } };
    await must(['create', '-f', '-'], first, JSON.stringify(object));
    const again = await request('node-again', node, signer, first);
    const second = configFor('node-again', await issued('node-again'), again);
    await must(['get', 'node', 'joined'], second);
    const refused = await kubectl(['get', 'secrets', '-A'], second);
    assert.match(refused.stderr, /node: can only read namespaced object of this type/);
    const labelled = await kubectl(
      ['label', 'node', 'joined', 'node-restriction.kubernetes.io/team=a'],
      second,
    );
    assert.match(labelled.stderr, /is not allowed to modify labels: node-restriction/);
  } finally {
    await controllers.close();
    await client.close();
    await own.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
