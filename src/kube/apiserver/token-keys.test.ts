// The keys of tokens of service accounts: what is refused in upstream's words, and which tokens are let in by them.
// What is answered is compared with kube-apiserver in test/support/token-key-steps.ts.
import assert from 'node:assert/strict';
import { createHash, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { decodeProtectedHeader } from 'jose';
import type { Fault } from '#base/fault.ts';
import { flagKey } from './access-flag-names.ts';
import { newUse } from './legacy-tokens.ts';
import { TokenRefusal } from './token-refusal.ts';
import { TokenAuthority, type VerifiedToken } from './tokens.ts';
import type { KubeObject } from '#kube/meta/object.ts';

const folder = mkdtempSync(join(tmpdir(), 'strata-test-token-keys-'));
after(() => rmSync(folder, { recursive: true }));
const at = (name: string): string => join(folder, name);

type Pem = { readonly type: 'pkcs1' | 'pkcs8' | 'sec1' | 'spki'; readonly format: 'pem' };

function write(name: string, key: KeyObject, type: Pem['type']): string {
  const form = { type, format: 'pem' } as Pem & { type: 'pkcs8' };
  writeFileSync(at(name), key.export(form));
  return at(name);
}

const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const short = generateKeyPairSync('ec', { namedCurve: 'P-224' });
const other = generateKeyPairSync('ed25519');
write('rsa.key', rsa.privateKey, 'pkcs1');
write('rsa.pub', rsa.publicKey, 'spki');
write('ec.key', ec.privateKey, 'sec1');
write('ec.pub', ec.publicKey, 'spki');
write('short.key', short.privateKey, 'sec1');
write('other.key', other.privateKey, 'pkcs8');
writeFileSync(at('none'), 'hello');
mkdirSync(at('folder'));

const SIGNING = 'service-account-signing-key-file';
const CHECKING = 'service-account-key-file';
type Flags = Readonly<Record<string, string | readonly string[]>>;
const keyed = (flags: Flags): Record<string, unknown> =>
  Object.fromEntries(Object.entries(flags).map(([name, value]) => [flagKey(name), value]));

const unread = 'failed to parse service-account-issuer-key-file: ';
const refused: readonly (readonly [flags: Flags, flag: string, why: string])[] = [
  [{ [SIGNING]: at('gone') }, SIGNING, `${unread}open ${at('gone')}: no such file or directory`],
  [{ [SIGNING]: at('folder') }, SIGNING, `${unread}read ${at('folder')}: is a directory`],
  [
    { [SIGNING]: at('none') },
    SIGNING,
    `${unread}error reading private key file ${at('none')}: data does not contain a valid RSA or ECDSA private key`,
  ],
  [
    { [SIGNING]: at('rsa.pub') },
    SIGNING,
    `${unread}error reading private key file ${at('rsa.pub')}: data does not contain a valid RSA or ECDSA private key`,
  ],
  [
    { [SIGNING]: at('short.key') },
    SIGNING,
    'failed to build token generator: could not generate signer for ECDSA keypair: unknown private key curve, must be 256, 384, or 521',
  ],
  [
    { [SIGNING]: at('other.key') },
    SIGNING,
    'failed to build token generator: unknown private key type ed25519.PrivateKey, must be *rsa.PrivateKey, *ecdsa.PrivateKey, or jose.OpaqueSigner',
  ],
  [
    { [SIGNING]: at('rsa.key') },
    SIGNING,
    'either `--service-account-key-file` or `--service-account-signing-endpoint` must be set',
  ],
  [{ [CHECKING]: at('gone') }, CHECKING, `open ${at('gone')}: no such file or directory`],
  [
    { [CHECKING]: [at('rsa.pub'), at('none')] },
    CHECKING,
    `error reading public key file ${at('none')}: data does not contain any valid RSA or ECDSA public keys`,
  ],
];

for (const [flags, flag, why] of refused) {
  test(`${flag}: ${why.replaceAll(folder, '')}`, async () => {
    await assert.rejects(TokenAuthority.open(folder, keyed(flags)), (error: Fault) => {
      assert.equal(error.message, `Cannot use --${flag}: ${why}`);
      return true;
    });
  });
}

const account = { metadata: { name: 'ann', namespace: 'default', uid: 'u' } } as KubeObject;
const now = 1_000_000_000_000;

async function issued(by: TokenAuthority): Promise<string> {
  const options = { audiences: [by.issuer], seconds: 600, now, binding: {}, id: 'i' };
  return await by.issue(account, options);
}

const verified = (by: TokenAuthority, token: string): Promise<VerifiedToken | undefined> =>
  by.verify(token, { lookup: async () => account, now, use: newUse() });

const refusal = (text: string) => (error: Error) =>
  error instanceof TokenRefusal && error.message === text;

const idOf = (key: KeyObject): string =>
  createHash('sha256')
    .update(createPublicKey(key).export({ type: 'spki', format: 'der' }))
    .digest('base64url');

test('tokens are signed by the one key and checked by all others', async () => {
  const open = (flags: Flags): Promise<TokenAuthority> => TokenAuthority.open(folder, keyed(flags));
  const own = await open({});
  const byRsa = await open({ [SIGNING]: at('rsa.key'), [CHECKING]: at('rsa.pub') });
  const both = await open({
    [SIGNING]: at('ec.key'),
    [CHECKING]: [at('rsa.pub'), at('ec.pub'), at('rsa.key')],
  });
  const more = await open({ [CHECKING]: at('rsa.pub') });

  const rsaToken = await issued(byRsa);
  assert.deepEqual(decodeProtectedHeader(rsaToken), { alg: 'RS256', kid: idOf(rsa.privateKey) });
  const ecToken = await issued(both);
  assert.deepEqual(decodeProtectedHeader(ecToken), { alg: 'ES384', kid: idOf(ec.privateKey) });
  const ownToken = await issued(own);
  assert.equal(decodeProtectedHeader(ownToken).alg, 'ES256');

  const unknown = refusal('invalid signature, no keys found');
  for (const [name, by, good, bad] of [
    ['own', own, [ownToken], [rsaToken, ecToken]],
    ['rsa', byRsa, [rsaToken], [ownToken, ecToken]],
    ['both', both, [rsaToken, ecToken], [ownToken]],
    ['more', more, [ownToken, rsaToken], [ecToken]],
  ] as const) {
    for (const token of good) {
      const found = await verified(by, token);
      assert.equal(found?.user.name, 'system:serviceaccount:default:ann', name);
    }
    for (const token of bad) await assert.rejects(verified(by, token), unknown, name);
  }

  assert.deepEqual(both.keys.algorithms, ['ES384', 'RS256']);
  const { keys } = await both.keys.jwks();
  const [rsaId, ecId] = [idOf(rsa.privateKey), idOf(ec.privateKey)];
  assert.deepEqual(
    keys.map(({ kty, alg, use, kid, d }) => [kty, alg, use, kid, d]),
    [
      ['RSA', 'RS256', 'sig', rsaId, undefined],
      ['EC', 'ES384', 'sig', ecId, undefined],
      ['RSA', 'RS256', 'sig', rsaId, undefined],
    ],
  );
});

test('a token that names the key of another, or none, is tried with all it may mean', async () => {
  const keys = { [SIGNING]: at('ec.key'), [CHECKING]: [at('rsa.pub'), at('ec.pub')] };
  const both = await TokenAuthority.open(folder, keyed(keys));
  const [head = '', body = '', signature = ''] = (await issued(both)).split('.');
  const renamed = (header: object): string =>
    [Buffer.from(JSON.stringify(header)).toString('base64url'), body, signature].join('.');
  const given = JSON.parse(Buffer.from(head, 'base64url').toString()) as object;
  const wrong = refusal('go-jose/go-jose: error in cryptographic primitive');
  for (const header of [
    { ...given, kid: idOf(rsa.privateKey) },
    { ...given, kid: undefined },
    { ...given, alg: 'HS256' },
    { ...given, alg: 'none' },
  ]) {
    await assert.rejects(verified(both, renamed(header)), wrong, JSON.stringify(header));
  }
  const unnamed = await issuedUnnamed(body, { alg: 'ES384' });
  assert.ok((await verified(both, unnamed)) !== undefined);
});

/** As other issuers of the same key may write it. */
async function issuedUnnamed(body: string, header: { alg: string }): Promise<string> {
  const { CompactSign } = await import('jose');
  return await new CompactSign(Buffer.from(body, 'base64url'))
    .setProtectedHeader(header)
    .sign(ec.privateKey);
}
