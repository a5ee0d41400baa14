// Whose credentials a webhook is called with: the closest name of the file, as kube-apiserver v1.37 looks for it.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ClientConfig } from '#kube/apiserver/webhook-client.ts';
import { readCredentials } from './webhook-credentials.ts';

const cases: readonly (readonly [ClientConfig, readonly string[], string | undefined])[] = [
  [{ url: 'https://a.b.c:8443/x' }, ['a.b.c:8443', '*.b.c:8443', '*'], 'a.b.c:8443'],
  [{ url: 'https://a.b.c:8443/x' }, ['a.b.c', '*.b.c:8443', '*'], '*.b.c:8443'],
  [{ url: 'https://a.b.c:8443/x' }, ['a.b.c', '*.b.c'], undefined],
  [{ url: 'https://a.b.c/x' }, ['a.b.c', '*.b.c:443'], '*.b.c:443'],
  [{ url: 'https://a.b.c/x' }, ['*.c', '*.b.c', 'b.c'], '*.b.c'],
  [{ url: 'https://[::1]/x' }, ['::1', '*'], '::1'],
  [{ service: { namespace: 'n', name: 's' } }, ['s.n.svc', '*.svc'], 's.n.svc'],
  [{ service: { namespace: 'n', name: 's', port: 9 } }, ['s.n.svc', '*.svc:9'], '*.svc:9'],
  [{ url: 'https://d/x' }, ['e', 'current'], 'current'],
];

for (const [config, names, wanted] of cases) {
  test(`${JSON.stringify(config)} among ${names.join(' ')}: ${wanted}`, () => {
    const folder = mkdtempSync(join(tmpdir(), 'strata-test-users-'));
    const file = join(folder, 'users.yaml');
    const users = names.map((name) => ({ name, user: { token: name } }));
    const contexts = [{ name: 'c', context: { user: 'current' } }];
    writeFileSync(file, JSON.stringify({ users, contexts, 'current-context': 'c' }));
    const { headers } = readCredentials(file)(config, 0);
    rmSync(folder, { recursive: true, force: true });
    assert.equal(headers?.['Authorization'], wanted && `Bearer ${wanted}`);
  });
}

test('a token of a file is read again, and what cannot be told is refused', () => {
  const folder = mkdtempSync(join(tmpdir(), 'strata-test-users-'));
  const at = (name: string): string => join(folder, name);
  const config = { url: 'https://a/x' };
  const write = (user: object): void =>
    writeFileSync(at('users.yaml'), JSON.stringify({ users: [{ name: '*', user }] }));
  writeFileSync(at('token'), 'first\n');
  write({ tokenFile: 'token' });
  const credentials = readCredentials(at('users.yaml'));
  const told = (nowMs: number): string | undefined =>
    credentials(config, nowMs).headers?.['Authorization'];
  assert.equal(told(1_000), 'Bearer first');
  writeFileSync(at('token'), 'second\n');
  assert.equal(told(2_000), 'Bearer first');
  assert.equal(told(62_000), 'Bearer second');
  write({ exec: { command: 'x' } });
  assert.throws(() => readCredentials(at('users.yaml')), /exec of a user is not supported/);
  rmSync(folder, { recursive: true, force: true });
});
