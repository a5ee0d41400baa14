// What upstream's own integration tests ask of an API server and no other test of ours did, each in a few requests
// (tools/run-kube-integration.ts runs them whole).
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { MemoryStore } from '#store/memory-store.ts';
import type { Txn, TxnResult } from '#store/store.ts';
import { senderTo, type SendRaw } from '#test/support/kube-sender.ts';
import { startOwnServer } from '#test/support/step-target.ts';

type Json = Record<string, unknown> & { readonly metadata: Record<string, unknown> };

interface Answer {
  readonly status: number;
  readonly body: Json;
  readonly warnings: string | undefined;
}

/** Others come between a read and a write of it, as of a store of another process. */
class DistantStore extends MemoryStore {
  override async txn(txn: Txn): Promise<TxnResult> {
    for (let turns = 0; turns < 3; turns++) await turn();
    return await super.txn(txn);
  }
}

let own: Awaited<ReturnType<typeof startOwnServer>>;
let send: SendRaw;

before(async () => {
  own = await startOwnServer({ store: new DistantStore() });
  send = senderTo(own.target);
});
after(() => own.close());

async function ask(
  method: string,
  path: string,
  body?: unknown,
  { type = 'application/json', user }: { type?: string; user?: string } = {},
): Promise<Answer> {
  const acting: Record<string, string> = user === undefined ? {} : { 'impersonate-user': user };
  const headers = { 'content-type': type, 'user-agent': 'cases', ...acting };
  const text = body === undefined ? undefined : JSON.stringify(body);
  const { status, headers: answered, bytes } = await send({ method, path, headers, body: text });
  const warnings = answered['warning'];
  return { status, body: JSON.parse(bytes.toString()) as Json, warnings };
}

const MERGE = { type: 'application/merge-patch+json' };
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';

// TestPatchConflicts
test('of many patches at once none is refused', async () => {
  const metadata = { name: 'patched-at-once' };
  assert.equal((await ask('POST', CONFIG_MAPS, { metadata })).status, 201);
  const path = `${CONFIG_MAPS}/${metadata.name}`;
  const patches = Array.from({ length: 60 }, (_one, index) =>
    ask('PATCH', path, { data: { [`key-${index}`]: 'x' } }, MERGE),
  );
  const found = await Promise.all(patches);
  assert.deepEqual([...new Set(found.map(({ status }) => status))], [200]);
  const { body } = await ask('GET', path);
  assert.equal(Object.keys(body['data'] as object).length, 60);
});

// Test202StatusCode
test('a deletion that waits is accepted for who asks by orphanDependents', async () => {
  const outcomes: number[] = [];
  for (const options of [
    { orphanDependents: false },
    { propagationPolicy: 'Background' },
    undefined,
  ]) {
    const metadata = { generateName: 'held-', finalizers: ['example.com/held'] };
    const { body } = await ask('POST', CONFIG_MAPS, { metadata });
    const path = `${CONFIG_MAPS}/${String(body.metadata['name'])}`;
    outcomes.push((await ask('DELETE', path, options)).status);
    const patch = { metadata: { finalizers: null } };
    await ask('PATCH', path, patch, MERGE);
  }
  assert.deepEqual(outcomes, [202, 200, 200]);
});

// TestDedupOwnerReferences
test('the group without a name may be written in apiVersion', async () => {
  const object = { apiVersion: '/v1', kind: 'ConfigMap', metadata: { name: 'core-by-name' } };
  const { status, body } = await ask('POST', CONFIG_MAPS, object);
  assert.deepEqual([status, body['apiVersion']], [201, 'v1']);
});

// TestPodSubresourceAuth
test('who may only read connections to pods may not make one by GET', async () => {
  const roles = '/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles';
  const bindings = roles.replace('roles', 'rolebindings');
  const resources = ['pods/exec', 'pods/attach', 'pods/portforward'];
  for (const [name, verbs] of [
    ['reader', ['get']],
    ['maker', ['get', 'create']],
  ] as const) {
    const rules = [{ apiGroups: [''], resources, verbs }];
    assert.equal((await ask('POST', roles, { metadata: { name }, rules })).status, 201);
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name };
    const subjects = [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name }];
    const binding = { metadata: { name }, roleRef, subjects };
    assert.equal((await ask('POST', bindings, binding)).status, 201);
  }
  for (const subresource of ['exec', 'attach', 'portforward']) {
    const path = `/api/v1/namespaces/default/pods/nobody/${subresource}`;
    const { status, body } = await ask('GET', path, undefined, { user: 'reader' });
    assert.deepEqual([status, body['reason']], [403, 'Forbidden']);
    assert.equal(body['message'], 'pods "nobody" is forbidden: ');
    assert.equal((await ask('GET', path, undefined, { user: 'maker' })).status, 404);
  }
});
