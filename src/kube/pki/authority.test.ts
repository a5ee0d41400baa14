// Pairs that an authority issues.
import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
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
