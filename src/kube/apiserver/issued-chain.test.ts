// Chains that signers may write into the status of a pod's certificate request, and those they may not.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { Authority } from '#kube/pki/authority.ts';
import { chainCauses } from './issued-chain.ts';

type Json = Record<string, unknown>;

const MINUTE = 60_000;
const now = Date.parse('2026-11-29T12:00:00Z');
const time = (at: number): string => new Date(at).toISOString().replace('.000Z', 'Z');

interface Case {
  readonly status?: Json;
  readonly spec?: Json;
  readonly nowMs?: number;
  readonly field: string;
  readonly why: RegExp;
}

test('a chain is for the key, and its times are those that are told', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'strata-test-chain-'));
  const authority = await Authority.open(folder, now);
  const pair = await authority.issueClient({ commonName: 'pod', organizations: [] }, now);
  const other = await authority.issueClient({ commonName: 'other', organizations: [] }, now);
  rmSync(folder, { recursive: true, force: true });
  const leaf = new X509Certificate(pair.cert);
  const [from, to] = [leaf.validFromDate.getTime(), leaf.validToDate.getTime()];
  const spki = leaf.publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
  const spec: Json = { pkixPublicKey: spki, maxExpirationSeconds: (to - from) / 1_000 };
  const status: Json = {
    certificateChain: pair.cert + authority.caCert,
    notBefore: time(from),
    notAfter: time(to),
    beginRefreshAt: time(from + 20 * MINUTE),
  };
  assert.deepEqual(await chainCauses(status, spec, from), []);
  const chain = 'status.certificateChain';
  const cases: readonly Case[] = [
    { status: { certificateChain: '' }, field: chain, why: /at least one certificate/ },
    { status: { certificateChain: other.cert }, field: chain, why: /not issued to the requested/ },
    {
      status: { certificateChain: pair.cert + other.key },
      field: chain,
      why: /entirely of CERTFICATE PEM/,
    },
    { status: { certificateChain: 'x'.repeat(102_401) }, field: chain, why: /102400 bytes/ },
    { status: { notBefore: null }, field: 'status.notBefore', why: /must be present/ },
    { status: { beginRefreshAt: null }, field: 'status.beginRefreshAt', why: /notbefore\+10min/ },
    {
      status: { notBefore: time(from + 1_000) },
      field: 'status.notBefore',
      why: /encoded in the leaf/,
    },
    { nowMs: from + 6 * MINUTE, field: 'status.notBefore', why: /within 5 minutes/ },
    {
      status: { notAfter: time(to - 1_000) },
      field: 'status.notAfter',
      why: /encoded in the leaf/,
    },
    {
      spec: { maxExpirationSeconds: 3_600 },
      field: chain,
      why: /<= spec.maxExpirationSeconds \(3600\)/,
    },
    {
      status: { beginRefreshAt: time(from + MINUTE) },
      field: 'status.beginRefreshAt',
      why: /10 minutes after status.notBefore/,
    },
    {
      status: { beginRefreshAt: time(to - MINUTE) },
      field: 'status.beginRefreshAt',
      why: /10 minutes before status.notAfter/,
    },
  ];
  for (const { field, why, nowMs = from, ...more } of cases) {
    const found = await chainCauses(
      { ...status, ...more.status },
      { ...spec, ...more.spec },
      nowMs,
    );
    assert.equal(found[0]?.field, field, String(why));
    assert.match(found[0]?.message ?? '', why);
  }
});
