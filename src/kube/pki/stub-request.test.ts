// Keys of pod certificates and the requests that prove them.
import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { test } from 'node:test';
import { stubRequestKey } from './signing.ts';
import { makeStubRequest } from './stub-request.ts';

const kinds = [
  ['ECDSAP256', { type: 'ec', namedCurve: 'prime256v1' }],
  ['ECDSAP384', { type: 'ec', namedCurve: 'secp384r1' }],
  ['ECDSAP521', { type: 'ec', namedCurve: 'secp521r1' }],
  ['ED25519', { type: 'ed25519', namedCurve: undefined }],
  ['RSA3072', { type: 'rsa', namedCurve: undefined }],
] as const;

for (const [keyType, want] of kinds) {
  test(`makeStubRequest() of ${keyType}: the request is signed by the key`, async () => {
    const { key, request } = await makeStubRequest(keyType);
    const found = await stubRequestKey(Buffer.from(request));
    assert.equal(found?.isSigned, true);
    const { asymmetricKeyType: type, asymmetricKeyDetails: details } = createPrivateKey(key);
    assert.deepEqual({ type, namedCurve: details?.namedCurve }, want);
    assert.ok(createPublicKey(key).equals(found.key));
  });
}

test('makeStubRequest() of a type that there is not', async () => {
  await assert.rejects(makeStubRequest('DSA'), /unknown key type "DSA"/);
});
