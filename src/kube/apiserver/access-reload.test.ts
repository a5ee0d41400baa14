// What is written into the configurations of access counts from then on; what cannot be used changes nothing.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { Authority } from '#kube/pki/authority.ts';
import { Issuer } from '#test/support/access-world.ts';
import { eventually } from '#test/support/cluster.ts';
import { sendStep } from '#test/support/step-player.ts';
import { startOwnServer } from '#test/support/step-target.ts';

const version = 'apiserver.config.k8s.io/v1';
const authorization = (...types: readonly string[]): object => ({
  apiVersion: version,
  kind: 'AuthorizationConfiguration',
  authorizers: types.map((type) => ({ type, name: type.toLowerCase() })),
});
const sha256 = (text: string): string =>
  `sha256:${createHash('sha256').update(text).digest('hex')}`;

test('configurations of access are taken up while the server runs', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'strata-test-reload-'));
  const [who, what] = [join(folder, 'who.yaml'), join(folder, 'what.yaml')];
  const authority = await Authority.open(join(folder, 'pki'), Date.now());
  const first = await Issuer.start(authority, 'ES256');
  const second = await Issuer.start(authority, 'ES256');
  const authentication = (prefix: string, issuers: readonly Issuer[], more = {}): object => ({
    apiVersion: version,
    kind: 'AuthenticationConfiguration',
    jwt: issuers.map(({ url }) => ({
      issuer: { url, audiences: ['strata'], certificateAuthority: authority.caCert },
      claimMappings: { username: { claim: 'sub', prefix } },
    })),
    ...more,
  });
  const write = (path: string, value: object | string): void =>
    writeFileSync(path, typeof value === 'string' ? value : JSON.stringify(value));
  write(who, authentication('old:', [first, second]));
  write(what, authorization('RBAC'));
  const flags = { authenticationConfig: who, authorizationConfig: what };
  const own = await startOwnServer({ flags });
  const tokenOf = async (issuer: Issuer): Promise<string> =>
    `Bearer ${await issuer.token({ sub: 'ann' }, { algorithm: 'ES256' })}`;
  const [ann, beth] = [await tokenOf(first), await tokenOf(second)];
  const asked = async (authorization: string): Promise<string> => {
    const headers = { authorization };
    const step = { name: 'ask', method: 'GET', path: '/api/v1/nodes', headers };
    const { status, body } = await sendStep(own.target, step);
    const user = /User "([^"]*)"/.exec(JSON.stringify(body).replaceAll('\\', ''))?.[1];
    return user === undefined ? String(status) : `${status} ${user}`;
  };
  const answers = (to: string, wanted: string): Promise<true> =>
    eventually(`the answer ${wanted}`, async () =>
      (await asked(to)) === wanted ? true : undefined,
    );
  const page = async (): Promise<string[]> => {
    const step = { name: 'page', method: 'GET', path: '/metrics' };
    return String((await sendStep(own.target, step)).body).split('\n');
  };
  /** A file may be seen half written: there may be more. */
  const failures = (what: string, times: number): Promise<true> =>
    eventually(`${times} failures`, async () => {
      const name = `apiserver_${what}_config_controller_automatic_reloads_total`;
      const line = new RegExp(`^${name}\\{.*status="failure"\\} (\\d+)$`);
      const counts = (await page()).map((one) => Number(line.exec(one)?.[1] ?? 0));
      return Math.max(...counts) >= times ? true : undefined;
    });
  const keySets = async (): Promise<number> =>
    (await page()).filter((line) =>
      /^apiserver_authentication_jwt_authenticator_jwks_fetch_last_key_set_info\{.*\} 1$/.test(
        line,
      ),
    ).length;
  try {
    assert.equal(await asked(ann), '403 old:ann');
    assert.equal(await asked(beth), '403 old:ann');
    assert.equal(await keySets(), 2);
    write(who, authentication('new:', [first]));
    await answers(ann, '403 new:ann');
    assert.equal(await asked(beth), '401');
    assert.equal(await keySets(), 1);
    write(what, authorization('AlwaysAllow', 'RBAC'));
    await answers(ann, '200');
    // Nothing of a file that cannot be used is; the next one that can is.
    write(who, 'jwt: [');
    await failures('authentication', 1);
    write(who, authentication('more:', [first], { anonymous: { enabled: false } }));
    await failures('authentication', 2);
    write(what, authorization('AlwaysAllow'));
    await failures('authorization', 1);
    assert.equal(await asked(ann), '200');
    assert.equal(await asked(beth), '401');
    write(who, authentication('more:', [first, second]));
    await answers(beth, '200');

    const text = (await page()).join('\n');
    const id = 'apiserver_id_hash="sha256:[0-9a-f]{64}"';
    for (const head of ['authentication', 'authorization']) {
      for (const status of ['success', 'failure']) {
        const line = `^apiserver_${head}_config_controller_automatic_reload_last_timestamp_seconds\\{${id},status="${status}"\\} [1-9]`;
        assert.match(text, new RegExp(line, 'm'));
      }
    }
    const hash = sha256(JSON.stringify(authorization('AlwaysAllow', 'RBAC')));
    assert.match(
      text,
      new RegExp(
        `^apiserver_authorization_config_controller_last_config_info\\{${id},hash="${hash}"\\} 1$`,
        'm',
      ),
    );
    const took = `apiserver_authentication_jwt_authenticator_latency_seconds_count{jwt_issuer_hash="${sha256(first.url)}",result="success"}`;
    assert.ok(text.includes(took));
  } finally {
    await own.close();
    await Promise.all([first.close(), second.close()]);
    rmSync(folder, { recursive: true, force: true });
  }
});
