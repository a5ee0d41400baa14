// What is said of components that are of this process, listen somewhere, are not well, or are not there.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Authority } from '#kube/pki/authority.ts';
import { freePort } from '#test/support/free-port.ts';
import { ComponentStatuses } from './component-statuses.ts';

const store = { current: async () => 1 };
const conditionOf = async (statuses: ComponentStatuses, name: string): Promise<unknown> =>
  (await statuses.get(name))['conditions'][0];

test('a component of this process is well, and so is a store that answers', async () => {
  const statuses = new ComponentStatuses({ store, runsHere: () => true });
  for (const name of ['controller-manager', 'etcd-0', 'scheduler']) {
    assert.deepEqual(await conditionOf(statuses, name), {
      type: 'Healthy',
      status: 'True',
      message: 'ok',
    });
  }
  const names = (await statuses.list()).map(({ metadata }) => metadata.name);
  assert.deepEqual(names, ['controller-manager', 'etcd-0', 'scheduler']);
  await assert.rejects(statuses.get('etcd-1'), { message: 'componentstatus "etcd-1" not found' });
});

test('a store that does not answer is not', async () => {
  const current = (): Promise<number> => Promise.reject(new Error('the store is gone'));
  const statuses = new ComponentStatuses({ store: { current } });
  const found = await conditionOf(statuses, 'etcd-0');
  assert.deepEqual(found, { type: 'Healthy', status: 'False', error: 'the store is gone' });
});

test('others are asked at /healthz, whatever their certificate is', async () => {
  const home = mkdtempSync(join(tmpdir(), 'strata-components-'));
  const now = Date.now();
  const authority = await Authority.open(home, now);
  const pair = await authority.issueServer({ commonName: 'x', names: ['x'], ips: [] }, now);
  let status = 200;
  const server = createServer({ cert: pair.cert, key: pair.key }, (asked, answer) => {
    answer.writeHead(asked.url === '/healthz' ? status : 404).end('fine');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const free = await freePort();
  const ports = { scheduler: port, 'controller-manager': free };
  const statuses = new ComponentStatuses({ store, ports });
  try {
    assert.deepEqual(await conditionOf(statuses, 'scheduler'), {
      type: 'Healthy',
      status: 'True',
      message: 'fine',
    });
    status = 500;
    assert.deepEqual(await conditionOf(statuses, 'scheduler'), {
      type: 'Healthy',
      status: 'False',
      message: 'HTTP probe failed with statuscode: 500',
    });
    const why = `dial tcp 127.0.0.1:${free}: connect: connection refused`;
    assert.deepEqual(await conditionOf(statuses, 'controller-manager'), {
      type: 'Healthy',
      status: 'False',
      message: `Get "https://127.0.0.1:${free}/healthz": ${why}`,
    });
  } finally {
    server.close();
    server.closeAllConnections();
    rmSync(home, { recursive: true, force: true });
  }
});
