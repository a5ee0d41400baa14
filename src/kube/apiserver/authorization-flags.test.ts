// Which authorizers the flags come to, and what is refused, in upstream's words.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import type { Fault } from '#base/fault.ts';
import { authorizersOf } from './authorization-flags.ts';

const folder = mkdtempSync(join(tmpdir(), 'strata-test-authorization-'));
after(() => rmSync(folder, { recursive: true }));
const policies = join(folder, 'policies');
writeFileSync(policies, '# nothing yet\n');
const hook = join(folder, 'hook');
writeFileSync(
  hook,
  JSON.stringify({ clusters: [{ name: 'a', cluster: { server: 'http://127.0.0.1:1' } }] }),
);
const file = join(folder, 'configuration');
writeFileSync(
  file,
  JSON.stringify({
    apiVersion: 'apiserver.config.k8s.io/v1',
    kind: 'AuthorizationConfiguration',
    authorizers: [
      { type: 'ABAC', name: 'abac' },
      { type: 'RBAC', name: 'rbac' },
    ],
  }),
);

type Flags = Readonly<Record<string, string | readonly string[]>>;

const cases: readonly (readonly [flags: Flags, wanted: readonly string[]])[] = [
  [{}, ['Node node', 'RBAC rbac']],
  [{ authorizationMode: '' }, ['Node node', 'RBAC rbac']],
  [{ authorizationMode: 'RBAC' }, ['RBAC rbac']],
  [
    { authorizationMode: ['RBAC', 'Node,AlwaysDeny'] },
    ['RBAC rbac', 'Node node', 'AlwaysDeny alwaysdeny'],
  ],
  [{ authorizationMode: 'ABAC', authorizationPolicyFile: policies }, ['ABAC abac']],
  [
    { authorizationMode: 'Webhook,AlwaysAllow', authorizationWebhookConfigFile: hook },
    ['Webhook default', 'AlwaysAllow alwaysallow'],
  ],
  [{ authorizationConfig: file, authorizationPolicyFile: policies }, ['ABAC abac', 'RBAC rbac']],
];

for (const [flags, wanted] of cases) {
  test(`authorizers of ${JSON.stringify(flags).replaceAll(folder, '')}`, () => {
    const found = authorizersOf(flags).map(({ type, name }) => `${type} ${name}`);
    assert.deepEqual(found, wanted);
  });
}

const refused: readonly (readonly [flags: Flags, why: string])[] = [
  [{ authorizationMode: 'rbac' }, 'authorization-mode "rbac" is not a valid mode'],
  [{ authorizationMode: 'ABAC' }, "authorization-mode ABAC's authorization policy file not passed"],
  [
    { authorizationMode: 'Webhook,X' },
    `[authorization-mode Webhook's authorization config file not passed, authorization-mode "X" is not a valid mode]`,
  ],
  [
    { authorizationMode: 'RBAC,RBAC' },
    'authorization-mode ["RBAC" "RBAC"] has mode specified more than once',
  ],
  [
    { authorizationPolicyFile: policies },
    'cannot specify --authorization-policy-file without mode ABAC',
  ],
  [
    { authorizationMode: 'RBAC', authorizationWebhookConfigFile: hook },
    'cannot specify --authorization-webhook-config-file without mode Webhook',
  ],
  [
    { authorizationMode: 'X,X' },
    '[authorization-mode "X" is not a valid mode, authorization-mode ["X" "X"] has mode specified more than once]',
  ],
];

for (const [flags, why] of refused) {
  test(`refused: ${why}`, () => {
    assert.throws(
      () => authorizersOf(flags),
      (error: Fault) => {
        assert.equal(error.message, `Cannot use --authorization-mode: ${why}`);
        return true;
      },
    );
  });
}

test('a configuration does not stand beside modes', () => {
  assert.throws(
    () => authorizersOf({ authorizationConfig: file, authorizationMode: 'RBAC' }),
    /: --authorization-config can not be specified when --authorization-mode or --authorization-w/,
  );
});

test('a configuration with policies needs their file', () => {
  assert.throws(() => authorizersOf({ authorizationConfig: file }), {
    message: 'invalid authorization config: open : no such file or directory',
  });
});
