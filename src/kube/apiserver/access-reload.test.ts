// What is written into the configurations of access counts from then on; what cannot be used changes nothing.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { eventually } from '#test/support/cluster.ts';
import { sendStep } from '#test/support/step-player.ts';
import { startOwnServer } from '#test/support/step-target.ts';

const version = 'apiserver.config.k8s.io/v1';
const authentication = (enabled: boolean): object => ({
  apiVersion: version,
  kind: 'AuthenticationConfiguration',
  anonymous: { enabled },
});
const authorization = (...types: readonly string[]): object => ({
  apiVersion: version,
  kind: 'AuthorizationConfiguration',
  authorizers: types.map((type) => ({ type, name: type.toLowerCase() })),
});

test('configurations of access are taken up while the server runs', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'strata-test-reload-'));
  const [who, what] = [join(folder, 'who.yaml'), join(folder, 'what.yaml')];
  const write = (path: string, value: object | string): void =>
    writeFileSync(path, typeof value === 'string' ? value : JSON.stringify(value));
  write(who, authentication(false));
  write(what, authorization('RBAC'));
  const flags = { authenticationConfig: who, authorizationConfig: what };
  const own = await startOwnServer({ flags });
  const nobody = { authorization: '' };
  const asked = async (): Promise<number> => {
    const step = { name: 'ask', method: 'GET', path: '/api/v1/nodes', headers: nobody };
    return (await sendStep(own.target, step)).status;
  };
  const answers = (status: number): Promise<true> =>
    eventually(`an answer of ${status}`, async () =>
      (await asked()) === status ? true : undefined,
    );
  try {
    assert.equal(await asked(), 401);
    write(who, authentication(true));
    await answers(403);
    write(what, authorization('AlwaysAllow', 'RBAC'));
    await answers(200);
    // Nothing of a file that cannot be used is; the next one that can is.
    write(who, 'anonymous: [');
    write(what, authorization('AlwaysAllow'));
    write(who, authentication(false));
    await answers(401);
    write(who, authentication(true));
    await answers(200);
    const page = await sendStep(own.target, { name: 'page', method: 'GET', path: '/metrics' });
    const head = 'apiserver_authorization_config_controller';
    const text = String(page.body);
    const id = 'apiserver_id_hash="sha256:[0-9a-f]{64}"';
    for (const status of ['success', 'failure']) {
      const labels = `\\{${id},status="${status}"\\}`;
      assert.match(text, new RegExp(`^${head}_automatic_reloads_total${labels} [1-9]`, 'm'));
      assert.match(
        text,
        new RegExp(`^${head}_automatic_reload_last_timestamp_seconds${labels} [1-9]`, 'm'),
      );
    }
    const hash = createHash('sha256').update(JSON.stringify(authorization('AlwaysAllow', 'RBAC')));
    assert.match(
      text,
      new RegExp(
        `^${head}_last_config_info\\{${id},hash="sha256:${hash.digest('hex')}"\\} 1$`,
        'm',
      ),
    );
  } finally {
    await own.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
