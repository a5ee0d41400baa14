// The life of an object of every built-in resource, in some 3,000 requests, gets the answers that a real
// kube-apiserver v1.37 gave: status, headers, body with managed fields. What differs is listed, with its
// reason, in test/support/kube-differential/differences.ts.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { parse } from 'yaml';
import { createEnv } from '#env/node/env.ts';
import { startApiServer } from '#kube/apiserver/server.ts';
import { TypeRegistry } from '#kube/types/registry.ts';
import { MemoryStore } from '#store/memory-store.ts';
import { knownDifferences } from '#test/support/kube-differential/differences.ts';
import { playScenes, type Recording } from '#test/support/kube-differential/play.ts';
import { readRecording } from '#test/support/kube-differential/record.ts';
import { sender } from '#test/support/kube-sender.ts';
import { compare, isKnown } from '#test/support/mesos-differential/compare.ts';

async function ownAnswers(): Promise<Recording> {
  const home = mkdtempSync(join(tmpdir(), 'strata-test-scenes-'));
  const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
  const options = {
    instance: 'default',
    home,
    listen: { host: '127.0.0.1', port: 0 },
    store: new MemoryStore(),
    registry: new TypeRegistry(),
    serviceCidr: '198.18.0.0/16',
  };
  const server = await startApiServer(options, env);
  try {
    const { sendRaw, close } = sender(
      parse(readFileSync(join(home, 'kubeconfig'), 'utf8')) as never,
    );
    const found = await playScenes(sendRaw);
    close();
    return found;
  } finally {
    await server.close();
    rmSync(home, { recursive: true, force: true });
  }
}

test('every resource answers as on kube-apiserver', async () => {
  const recorded = readRecording();
  const own = await ownAnswers();
  assert.deepEqual(Object.keys(own), Object.keys(recorded), 'record the scenes again');
  const found = Object.entries(recorded).flatMap(([scene, entries]) =>
    compare(entries, own[scene] ?? []).map((one) => ({ scene, ...one })),
  );
  const unknown = found.filter(
    (one) => !knownDifferences.some((known) => isKnown(one.scene, one, known)),
  );
  const unused = knownDifferences.filter(
    (known) => !found.some((one) => isKnown(one.scene, one, known)),
  );
  assert.deepEqual({ unknown, unused }, { unknown: [], unused: [] });
});
