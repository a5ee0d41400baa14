// What a file of authorizers may become while the server runs, and what is refused, in upstream's words.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import type { Fault } from '#base/fault.ts';
import { readAuthorization } from './authorization-configuration.ts';
import { AuthorizationReload } from './authorization-reload.ts';

const folder = mkdtempSync(join(tmpdir(), 'strata-test-authorization-reload-'));
after(() => rmSync(folder, { recursive: true }));
const path = join(folder, 'configuration');
const policies = join(folder, 'policies');
const policy = (user: string): string =>
  JSON.stringify({
    apiVersion: 'abac.authorization.kubernetes.io/v1beta1',
    kind: 'Policy',
    spec: { user, resource: '*', namespace: '*', apiGroup: '*' },
  });
writeFileSync(
  join(folder, 'hook'),
  JSON.stringify({ clusters: [{ name: 'a', cluster: { server: 'http://127.0.0.1:1' } }] }),
);

const webhook = {
  timeout: '3s',
  subjectAccessReviewVersion: 'v1',
  matchConditionSubjectAccessReviewVersion: 'v1',
  failurePolicy: 'Deny',
  connectionInfo: { type: 'KubeConfigFile', kubeConfigFile: 'hook' },
};

/** Of types, or of a type under another name. */
function write(all: readonly string[], indent?: number): void {
  const authorizers = all.map((one) => {
    const [type = '', name = type.toLowerCase()] = one.split(' ');
    return { type, name, ...(type === 'Webhook' ? { webhook } : {}) };
  });
  const apiVersion = 'apiserver.config.k8s.io/v1';
  const object = { apiVersion, kind: 'AuthorizationConfiguration', authorizers };
  writeFileSync(path, JSON.stringify(object, null, indent));
}

function started(all: readonly string[]): AuthorizationReload {
  writeFileSync(policies, policy('first'));
  write(all);
  return new AuthorizationReload(path, readAuthorization(path, policies));
}

const cases: readonly (readonly [
  from: readonly string[],
  to: readonly string[],
  /** What is refused, or nothing. */
  why?: string,
])[] = [
  [['RBAC'], ['AlwaysAllow', 'RBAC']],
  [['RBAC'], ['AlwaysDeny', 'Webhook other', 'RBAC', 'Webhook more']],
  [['Webhook one', 'RBAC'], ['RBAC']],
  [
    ['Node', 'RBAC', 'Webhook one', 'AlwaysDeny'],
    ['AlwaysAllow'],
    'missing required types: [AlwaysDeny Node RBAC]',
  ],
  [
    ['Node', 'RBAC'],
    ['RBAC other'],
    '[expected name rbac for authorizer RBAC instead of other, missing required types: [Node]]',
  ],
  ...(['Node', 'ABAC', 'RBAC'] as const).map(
    (type) =>
      [
        ['AlwaysAllow'],
        [type, 'AlwaysAllow'],
        `authorizer type ${type} is not allowed if it was not enabled at initial server startup`,
      ] as const,
  ),
];

for (const [from, to, why] of cases) {
  test(`${from.join(', ')} becomes ${to.join(', ')}: ${why ?? 'taken up'}`, () => {
    const reload = started(from);
    write(to);
    if (why === undefined) {
      const found = reload.read()?.map(({ type }) => type);
      assert.deepEqual(
        found,
        to.map((one) => one.split(' ')[0]),
      );
      return;
    }
    assert.throws(
      () => reload.read(),
      (error: Fault) => {
        assert.equal(error.message, `Cannot use ${path}: ${why}`);
        return true;
      },
    );
  });
}

test('the same in other words is no news, also where it cannot be used', () => {
  const reload = started(['AlwaysAllow']);
  write(['AlwaysAllow'], 2);
  assert.equal(reload.read(), undefined);
  write(['RBAC', 'AlwaysAllow']);
  assert.throws(() => reload.read());
  write(['RBAC', 'AlwaysAllow'], 2);
  assert.equal(reload.read(), undefined);
});

test('policies are those of the start', () => {
  const reload = started(['ABAC']);
  const first = readAuthorization(path, policies);
  writeFileSync(policies, policy('second'));
  write(['ABAC', 'AlwaysDeny']);
  assert.deepEqual(reload.read()?.[0], first[0]);
});
