// Pairs that an authority issues.
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createPrivateKey, generateKeyPairSync, webcrypto, X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import * as x509 from '@peculiar/x509';
import { Authority } from './authority.ts';

const folder = mkdtempSync(join(tmpdir(), 'strata-authority-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('Authority.issueClient()', async () => {
  const authority = await Authority.open(folder, Date.now());
  const identity = { commonName: 'someone', organizations: ['some'] };
  const { cert, key } = await authority.issueClient(identity, Date.now());
  assert.ok(key.startsWith('-----BEGIN PRIVATE KEY-----'), key.slice(0, 40));
  const certificate = new X509Certificate(cert);
  assert.ok(certificate.checkPrivateKey(createPrivateKey(key)));
  assert.ok(certificate.checkIssued(new X509Certificate(authority.caCert)));
  assert.match(certificate.subject, /CN=someone/);
});

test('what an authority issues holds before strict clients, as those of Python 3.13', async () => {
  const [now, root] = [Date.now(), join(folder, 'ca.crt')];
  const authority = await Authority.open(folder, now);
  const identity = { commonName: 'one', organizations: [], names: ['one.test'], ips: ['::1'] };
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = join(folder, 'wanted.key');
  writeFileSync(key, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const request = execFileSync('openssl', ['req', '-new', '-key', key, '-subj', '/CN=one']);
  const usages = ['client auth'];
  const wanted = { request: request.toString('base64'), usages, seconds: 86_400 };
  const issued = {
    sslclient: [
      (await authority.issueClient(identity, now)).cert,
      await authority.sign(wanted, now),
    ],
    sslserver: [
      (await authority.issueServer(identity, now)).cert,
      (await authority.issuePeer(identity, now)).cert,
    ],
  };
  for (const [purpose, all] of Object.entries(issued)) {
    for (const [i, cert] of all.entries()) {
      const path = join(folder, `${purpose}-${i}.crt`);
      writeFileSync(path, cert);
      const flags = ['-x509_strict', '-purpose', purpose, '-CAfile', root];
      const said = execFileSync('openssl', ['verify', ...flags, path]).toString();
      assert.equal(said, `${path}: OK\n`);
    }
  }
});

const keys = {
  'of RSA, as kubeadm makes it': {
    algorithm: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
    make: () => generateKeyPairSync('rsa', { modulusLength: 2_048 }),
    form: 'pkcs1',
  },
  'of a longer curve': {
    algorithm: { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' },
    make: () => generateKeyPairSync('ec', { namedCurve: 'P-384' }),
    form: 'sec1',
  },
} as const;

for (const [name, { algorithm, make, form }] of Object.entries(keys)) {
  test(`an authority that is there, with a key ${name}, signs`, async () => {
    const place = join(folder, form);
    mkdirSync(place);
    const { privateKey, publicKey } = make();
    const imported = async (
      key: typeof privateKey,
      type: 'pkcs8' | 'spki',
      use: 'sign' | 'verify',
    ): Promise<CryptoKey> => {
      const bytes = key.export({ type: type as 'pkcs8', format: 'der' });
      return (await webcrypto.subtle.importKey(type, bytes, algorithm, true, [use])) as CryptoKey;
    };
    x509.cryptoProvider.set(webcrypto as never);
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: '01',
      // As Go writes texts, unlike the library by itself.
      name: new x509.Name([{ CN: [{ printableString: 'kubernetes' }] }]),
      notBefore: new Date(Date.now() - 1_000),
      notAfter: new Date(Date.now() + 100_000),
      signingAlgorithm: algorithm,
      keys: {
        privateKey: await imported(privateKey, 'pkcs8', 'sign'),
        publicKey: await imported(publicKey, 'spki', 'verify'),
      },
      extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
    });
    writeFileSync(join(place, 'ca.crt'), certificate.toString('pem'));
    const pem = privateKey.export({ type: form as 'pkcs1', format: 'pem' });
    writeFileSync(join(place, 'ca.key'), pem);
    const authority = await Authority.open(place, Date.now());
    const identity = { commonName: 'someone', organizations: [] };
    const { cert } = await authority.issueClient(identity, Date.now());
    const made = new X509Certificate(cert);
    assert.ok(made.verify(publicKey));
    assert.ok(made.checkIssued(new X509Certificate(authority.caCert)));
    const bytes = (of: x509.Name): string => Buffer.from(of.toArrayBuffer()).toString('hex');
    assert.equal(bytes(new x509.X509Certificate(cert).issuerName), bytes(certificate.subjectName));
  });
}

test('an authority whose key is none is told', async () => {
  const place = join(folder, 'none');
  mkdirSync(place);
  writeFileSync(join(place, 'ca.crt'), 'x');
  writeFileSync(join(place, 'ca.key'), 'hello');
  await assert.rejects(
    Authority.open(place, Date.now()),
    /Cannot use .*ca\.key: data does not contain a valid RSA or ECDSA private key$/,
  );
});
