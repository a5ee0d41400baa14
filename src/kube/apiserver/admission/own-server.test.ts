// Which webhooks are the server itself, and how those are called.
import assert from 'node:assert/strict';
import test from 'node:test';
import type { ClientConfig } from '#kube/apiserver/webhook-client.ts';
import { isOwnServer, OwnServer } from './own-server.ts';

const service = (more: object): ClientConfig => ({
  service: { namespace: 'default', name: 'kubernetes', ...more },
});

const cases: readonly (readonly [config: ClientConfig, isOwn: boolean])[] = [
  [service({}), true],
  [service({ port: 443, path: '/apis/a.test/v1/reviews' }), true],
  [service({ port: 8_443 }), false],
  [service({ namespace: 'other' }), false],
  [service({ name: 'hook' }), false],
  [{ url: 'https://kubernetes.default.svc/apis/a.test/v1/reviews' }, true],
  [{ url: 'https://kubernetes.default.svc:443' }, true],
  [{ url: 'https://kubernetes.default.svc:8443' }, false],
  [{ url: 'https://kubernetes.default.svc.a.test' }, false],
  [{ url: 'https://kubernetes.default.svc@a.test' }, false],
  [{}, false],
];

for (const [config, isOwn] of cases) {
  test(`${JSON.stringify(config)} is ${isOwn ? 'the server' : 'somebody else'}`, () => {
    assert.equal(isOwnServer(config), isOwn);
  });
}

test('it is called where it listens, by a token that it knows, trusted by both', () => {
  const own = new OwnServer('OWN');
  const config = { ...service({}), caBundle: Buffer.from('GIVEN').toString('base64') };
  assert.equal(own.callOf(config), undefined);
  own.listens({ host: '127.0.0.1', port: 6_443 });
  assert.equal(own.callOf({ url: 'https://a.test' }), undefined);
  const call = own.callOf(config);
  assert.deepEqual(call?.at, { host: '127.0.0.1', port: 6_443 });
  assert.equal(call?.headers?.['Authorization'], `Bearer ${own.token.token}`);
  const bundle = Buffer.from(call?.config.caBundle ?? '', 'base64').toString();
  assert.equal(bundle, 'OWN\nGIVEN');
  assert.equal(own.token.user.name, 'system:apiserver');
  assert.ok(own.token.user.groups.includes('system:masters'));
});
