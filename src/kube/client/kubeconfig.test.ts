// Kubeconfigs as people have them.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { Fault } from '#base/fault.ts';
import { loadKubeconfig, parseKubeconfig } from './kubeconfig.ts';

const text = `
current-context: b
contexts:
- {name: a, context: {cluster: one, user: x, namespace: here}}
- {name: b, context: {cluster: two, user: y}}
clusters:
- {name: one, cluster: {server: 'https://one', certificate-authority: ca.pem}}
- {name: two, cluster: {server: 'https://two', insecure-skip-tls-verify: true}}
users:
- {name: x, user: {client-certificate-data: Q0VSVA==, client-key-data: S0VZ}}
- {name: y, user: {token: secret}}
`;

test('parseKubeconfig() takes the current context', () => {
  const access = parseKubeconfig(text, { from: 'test' });
  assert.equal(access.server, 'https://two');
  assert.equal(access.token, 'secret');
  assert.equal(access.isInsecure, true);
  assert.equal(access.caPem, undefined);
});

test('loadKubeconfig() takes another context, and paths relative to the file', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'strata-kubeconfig-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'config'), text);
  writeFileSync(join(folder, 'ca.pem'), 'CA');
  const access = loadKubeconfig(join(folder, 'config'), 'a');
  const { server, caPem, certPem, keyPem, namespace } = access;
  assert.deepEqual(
    { server, caPem, certPem, keyPem, namespace },
    { server: 'https://one', caPem: 'CA', certPem: 'CERT', keyPem: 'KEY', namespace: 'here' },
  );
});

const bad: readonly [string, string | object][] = [
  ['no file', '/nonexistent/config'],
  ['no context', {}],
  ['an unknown context', { 'current-context': 'x' }],
  ['no server', { 'current-context': 'x', contexts: [{ name: 'x', context: { cluster: 'c' } }] }],
];
for (const [name, source] of bad) {
  test(`loadKubeconfig() refuses ${name}`, () => {
    assert.throws(
      () => loadKubeconfig(source),
      (error) => error instanceof Fault && error.detail.code === 'kubeconfig',
    );
  });
}
