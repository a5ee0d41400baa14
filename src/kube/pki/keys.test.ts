// Keys in the forms that Go's tools write and take, and what is passed over.
import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { test } from 'node:test';
import { pemText } from '#base/pem.ts';
import { Authority } from './authority.ts';
import { privateKeyIn, publicKeysIn } from './keys.ts';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const other = generateKeyPairSync('ed25519');

type Form = 'pkcs1' | 'sec1' | 'pkcs8';
const privatePem = (key: KeyObject, type: Form): string =>
  key.export({ type: type as 'pkcs8', format: 'pem' }).toString();
const publicPem = (key: KeyObject): string =>
  key.export({ type: 'spki', format: 'pem' }).toString();
const parameters = pemText({ type: 'EC PARAMETERS', der: Buffer.from('06052b81040022', 'hex') });
const broken = pemText({ type: 'RSA PRIVATE KEY', der: Buffer.from('00', 'hex') });

const privates: readonly (readonly [name: string, text: string, wanted: KeyObject | undefined])[] =
  [
    ['RSA as PKCS #1', privatePem(rsa.privateKey, 'pkcs1'), rsa.privateKey],
    ['RSA as PKCS #8', privatePem(rsa.privateKey, 'pkcs8'), rsa.privateKey],
    ['a curve as SEC 1', privatePem(ec.privateKey, 'sec1'), ec.privateKey],
    ['behind parameters', parameters + privatePem(ec.privateKey, 'sec1'), ec.privateKey],
    ['behind a broken one', broken + privatePem(ec.privateKey, 'pkcs8'), ec.privateKey],
    [
      'the first of two',
      privatePem(ec.privateKey, 'pkcs8') + privatePem(rsa.privateKey, 'pkcs8'),
      ec.privateKey,
    ],
    ['public alone', publicPem(rsa.publicKey), undefined],
    ['nothing', 'hello', undefined],
  ];

for (const [name, text, wanted] of privates) {
  test(`privateKeyIn(): ${name}`, () => {
    const found = privateKeyIn(text);
    assert.equal(found !== undefined, wanted !== undefined);
    if (found !== undefined && wanted !== undefined) assert.ok(found.equals(wanted));
  });
}

test('publicKeysIn() takes those of private keys, of certificates and by themselves', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'strata-test-keys-'));
  const authority = await Authority.open(folder, Date.now());
  const text = [
    publicPem(rsa.publicKey),
    parameters,
    privatePem(ec.privateKey, 'sec1'),
    broken,
    privatePem(rsa.privateKey, 'pkcs8'),
    publicPem(other.publicKey),
    authority.caCert,
  ].join('');
  const [first, second, third, fourth, ...more] = publicKeysIn(text);
  assert.ok(first?.equals(rsa.publicKey));
  assert.ok(second?.equals(ec.publicKey));
  assert.ok(third?.equals(rsa.publicKey));
  assert.equal(fourth?.asymmetricKeyDetails?.namedCurve, 'prime256v1');
  assert.deepEqual(more, []);
  assert.deepEqual(publicKeysIn('hello'), []);
  rmSync(folder, { recursive: true });
});
