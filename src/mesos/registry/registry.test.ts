// What the registry keeps: writes of one batch in their order, also when they are about one agent.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryStore } from '#store/memory-store.ts';
import type { Store, Txn } from '#store/store.ts';
import { Registry, type RegistryWrite } from './registry.ts';

const agent = (id: string): RegistryWrite => ({
  kind: 'admit-agent',
  info: { hostname: 'h', id: { value: id } },
});

test('many writes are few transactions, and a key is in each only once', async () => {
  const store: Store = new MemoryStore();
  const txns: Txn[] = [];
  const write = store.txn.bind(store);
  store.txn = (txn) => {
    txns.push(txn);
    return write(txn);
  };
  const registry = new Registry(store);
  const many = Array.from({ length: 200 }, (_, i) => agent(`S${i}`));
  await registry.applyAll([...many, { kind: 'remove-agent', agentId: 'S7' }, agent('S7')]);
  assert.ok(txns.length <= 7, `${txns.length} transactions for 202 writes`);
  for (const { then } of txns) {
    assert.equal(new Set(then.map(({ key }) => key)).size, then.length);
  }
  assert.equal((await registry.read()).agents.length, 200);
});

test('the last word about an agent counts', async () => {
  const registry = new Registry(new MemoryStore());
  await registry.applyAll([
    agent('S1'),
    { kind: 'mark-unreachable', agentId: 'S1', at: 5 },
    { kind: 'set-weight', role: 'a', weight: 2 },
    { kind: 'set-weight', role: 'a', weight: 3 },
  ]);
  const { agents, unreachable, weights } = await registry.read();
  assert.deepEqual(agents, []);
  assert.deepEqual(unreachable, [{ agentId: 'S1', at: 5 }]);
  assert.deepEqual(weights, [{ role: 'a', weight: 3 }]);
});

test('a master that was deposed cannot write', async () => {
  const store = new MemoryStore();
  const [old, next] = [new Registry(store), new Registry(store)];
  await old.lead('old');
  await old.apply(agent('S1'));
  await next.lead('next');
  await assert.rejects(old.apply(agent('S2')), { detail: { code: 'deposed' } });
  await next.apply(agent('S3'));
  const ids = (await next.read()).agents.map(({ id }) => id?.value);
  assert.deepEqual(ids, ['S1', 'S3']);
});

test('a write that failed cannot be made after the next one', async () => {
  const store: Store = new MemoryStore();
  const registry = new Registry(store);
  await registry.lead('m');
  const write = store.txn.bind(store);
  const late: Txn[] = [];
  store.txn = (txn) => {
    late.push(txn);
    return Promise.reject(new Error('no answer'));
  };
  const weight = (of: number): RegistryWrite => ({ kind: 'set-weight', role: 'a', weight: of });
  await assert.rejects(registry.apply(weight(2)), /no answer/);
  store.txn = write;
  await registry.apply(weight(3));
  for (const txn of late) await store.txn(txn);
  assert.deepEqual((await registry.read()).weights, [{ role: 'a', weight: 3 }]);
});
