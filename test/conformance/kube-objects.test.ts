// Every request of the corpus gets the answer that a real kube-apiserver v1.37 gave to it: status, body,
// and each cause of a refusal. What differs on purpose, or not yet, is listed here with its reason.
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
import { answers, type Answers } from '#test/support/kube-answers.ts';
import { sender } from '#test/support/kube-sender.ts';

const vectors = join(import.meta.dirname, '../vectors/kube-answers.json');

const differences: Readonly<Record<string, string>> = {
  'v1 Pod create {"spec.containers.0.livenessProbe":{"httpGet":{"port":true}}}':
    'the type table does not know embedded Go structs',
  'v1 Service create {"spec.clusterIP":"x"}': 'addresses are taken before they are checked',
  'v1 Endpoints create {"subsets.0.addresses.0.ip":"127.0.0.1"}':
    'loopback is allowed: by default everything lives on it',
  'autoscaling/v1 HorizontalPodAutoscaler create {}': 'versions share one status',
  'autoscaling/v1 HorizontalPodAutoscaler create {"spec.targetCPUUtilizationPercentage":50}':
    'versions share one status',
  'autoscaling/v1 HorizontalPodAutoscaler create {"spec.targetCPUUtilizationPercentage":-1}':
    'the rule is about the v2 form',
  'coordination.k8s.io/v1 Lease create {"spec.strategy":"x"}':
    'fields of features that are off are not dropped',
};

async function ownAnswers(): Promise<Answers> {
  const home = mkdtempSync(join(tmpdir(), 'strata-test-objects-'));
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
    const { send, close } = sender(parse(readFileSync(join(home, 'kubeconfig'), 'utf8')) as never);
    const found = await answers(send);
    close();
    return found;
  } finally {
    await server.close();
    rmSync(home, { recursive: true, force: true });
  }
}

test('objects are decoded, defaulted and validated as by kube-apiserver', async (t) => {
  const recorded = JSON.parse(readFileSync(vectors, 'utf8')) as Answers;
  const own = await ownAnswers();
  assert.deepEqual(Object.keys(own), Object.keys(recorded), 'record the corpus again');
  const wrong: string[] = [];
  const cured: string[] = [];
  for (const [name, wanted] of Object.entries(recorded)) {
    const isSame = isDeepEqual(own[name], wanted);
    if (!isSame && differences[name] === undefined) wrong.push(name);
    if (isSame && differences[name] !== undefined) cured.push(name);
  }
  for (const name of wrong.slice(0, 5)) {
    await t.test(name, () => assert.deepEqual(own[name], recorded[name]));
  }
  assert.deepEqual({ wrong, cured }, { wrong: [], cured: [] });
});

function isDeepEqual(a: unknown, b: unknown): boolean {
  try {
    assert.deepEqual(a, b);
    return true;
  } catch {
    return false;
  }
}
