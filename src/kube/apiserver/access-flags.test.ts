// Which flags let clients in that say nothing of themselves.
import assert from 'node:assert/strict';
import test from 'node:test';
import { createEnv } from '#env/node/env.ts';
import { authenticationOf } from './access-flags.ts';

const cases: readonly (readonly [flags: Record<string, string>, isEnabled: boolean])[] = [
  [{}, true],
  [{ anonymousAuth: 'false' }, false],
  [{ authorizationMode: 'Node,RBAC' }, true],
  [{ authorizationMode: 'RBAC,AlwaysAllow' }, false],
  [{ authorizationMode: 'AlwaysAllow', anonymousAuth: 'true' }, false],
];

for (const [flags, isEnabled] of cases) {
  test(`anonymous clients with ${JSON.stringify(flags)}`, () => {
    const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
    assert.equal(authenticationOf(flags, env).anonymous.isEnabled, isEnabled);
  });
}
