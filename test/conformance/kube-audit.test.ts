// The audit log says of each request what a real kube-apiserver v1.37 wrote (recorded by tools/record-audit.ts);
// files that are full are put aside, and a webhook is sent batches.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { createEnv } from '#env/node/env.ts';
import { flagKey } from '#kube/apiserver/access-flag-names.ts';
import { LogFile } from '#kube/apiserver/audit/log-file.ts';
import { startAuditWorld } from '#test/support/audit-world.ts';
import { eventually } from '#test/support/cluster.ts';
import { playSteps, sendStep } from '#test/support/step-player.ts';
import { startOwnServer } from '#test/support/step-target.ts';
import { startWebhookServer } from '#test/support/webhook-server.ts';

const keyed = (flags: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(flags).map(([name, value]) => [flagKey(name), value]));

void test('requests are written down as by kube-apiserver', async (t) => {
  const vectors = join(import.meta.dirname, '../vectors/kube-audit.json');
  const recorded = JSON.parse(readFileSync(vectors, 'utf8')) as Record<string, unknown>;
  const world = await startAuditWorld();
  const own = await startOwnServer({ flags: keyed(world.flags) });
  try {
    await playSteps(own.target, world.steps);
  } finally {
    await own.close();
  }
  const found = JSON.parse(JSON.stringify(world.events())) as Record<string, unknown>;
  await world.close();
  assert.deepEqual(Object.keys(found), Object.keys(recorded), 'record the audit again');
  for (const [name, wanted] of Object.entries(recorded)) {
    await t.test(name, () => {
      assert.deepEqual(found[name], wanted);
    });
  }
});

void test('a file that is full is put aside, and old ones go', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'strata-test-audit-log-'));
  const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
  let now = Date.parse('2026-01-01T00:00:00Z');
  const clock = { ...env.clock, now: () => (now += 1_000) };
  const path = join(folder, 'audit.log');
  const kept = { maxSizeMib: 1, maxBackups: 2, maxAgeDays: 0 };
  const options = { path, ...kept, format: 'json', mode: 'batch' } as const;
  const log = new LogFile(options, { clock, log: env.log });
  const text = 'x'.repeat(600_000);
  for (let i = 0; i < 5; i++) log.write({ i, text });
  await log.close();
  const names = readdirSync(folder).sort();
  assert.equal(names.length, 3, names.join(' '));
  const last = JSON.parse(readFileSync(path, 'utf8')) as { i: number };
  assert.equal(last.i, 4);
  rmSync(folder, { recursive: true, force: true });
});

void test('a webhook is sent what happens, in lists', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'strata-test-audit-hook-'));
  const hook = await startWebhookServer();
  hook.on('/audit', () => ({}));
  const cluster = { server: `${hook.url}/audit`, 'certificate-authority-data': hook.caBundle };
  const config = { apiVersion: 'v1', kind: 'Config', clusters: [{ name: 'a', cluster }] };
  const policy = { apiVersion: 'audit.k8s.io/v1', kind: 'Policy', rules: [{ level: 'Metadata' }] };
  writeFileSync(join(folder, 'hook.yaml'), JSON.stringify(config));
  writeFileSync(join(folder, 'policy.yaml'), JSON.stringify(policy));
  const flags = {
    'audit-policy-file': join(folder, 'policy.yaml'),
    'audit-webhook-config-file': join(folder, 'hook.yaml'),
    'audit-webhook-batch-max-wait': '50ms',
  };
  const own = await startOwnServer({ flags: keyed(flags) });
  try {
    await sendStep(own.target, { name: 'x', method: 'GET', path: '/api/v1/nodes' });
    await eventually('two events of the request', async () => {
      const items = hook.reviews.flatMap(({ body }) => body['items'] as Record<string, unknown>[]);
      const own = items.filter(({ requestURI }) => requestURI === '/api/v1/nodes');
      return own.length === 2 ? own : undefined;
    });
    assert.equal(hook.reviews[0]?.body['kind'], 'EventList');
  } finally {
    await own.close();
    await hook.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
