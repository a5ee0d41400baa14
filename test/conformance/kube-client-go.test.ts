// Loops of client-go (shared informers, work queues, leader election) against our API server under churn:
// nothing is missed, told twice or out of order, and never two lead. STRATA_CLIENT_GO_SECONDS=600 is the
// long run, whose result stands in docs/operating/conformance.md.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import { startApiServer } from '#kube/apiserver/server.ts';
import { TypeRegistry } from '#kube/types/registry.ts';
import { openSqliteStore } from '#store/sqlite-store.ts';
import { run } from '#test/support/cluster.ts';
import { realProgram, skipWithout } from '#test/support/real-kubernetes.ts';

const program = 'client-go-churn';
const skip = skipWithout([program], `go build -C test/clients/client-go -o FOLDER/${program} .`);
const seconds = Number(process.env['STRATA_CLIENT_GO_SECONDS'] ?? 15);
const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });

test('client-go: informers, work queues and leader election miss nothing', { skip }, async () => {
  const home = mkdtempSync(join(tmpdir(), 'strata-client-go-'));
  const store = await openSqliteStore(join(home, 'store.db'));
  const listen = { host: '127.0.0.1', port: 0 };
  const registry = new TypeRegistry();
  const options = { instance: 'test', home, listen, store, registry, serviceCidr: '10.97.0.0/16' };
  const server = await startApiServer(options, env);
  try {
    const command = [realProgram(program), '-kubeconfig', join(home, 'kubeconfig')];
    const { status, stdout, stderr } = await run([...command, '-seconds', String(seconds)], {
      timeoutMs: (seconds + 120) * 1_000,
    });
    if (process.env['STRATA_CLIENT_GO_SECONDS'] !== undefined) process.stdout.write(stdout);
    assert.equal(status, 0, `${stdout}\n${stderr}`);
    const found = JSON.parse(stdout) as Record<string, number>;
    assert.ok((found['writes'] ?? 0) > 0 && (found['leader_terms'] ?? 0) > 0, stdout);
    assert.equal(found['leaders_at_once'], 0);
    assert.equal(found['children_wrong'], 0);
  } finally {
    await server.close();
    await store[Symbol.asyncDispose]();
    rmSync(home, { recursive: true, force: true });
  }
});
