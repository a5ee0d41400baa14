// What an agent keeps of its resources, with a crash before every single write: afterwards the state
// is that before or that after, and the folders of volumes agree with it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimDisk } from '#env/sim/disk.ts';
import type { Operation, Resource } from '#wire/mesos/v1.ts';
import { DyingDisk } from './dying-disk-fixture.ts';
import { AgentPaths } from './paths.ts';
import { ResourceStore } from './resource-store.ts';
import type { KeptResources } from './types.ts';

const paths = new AgentPaths('/w');

function volume(id: string, source?: NonNullable<Resource['disk']>['source']): Resource {
  return {
    name: 'disk',
    type: 'SCALAR',
    scalar: { value: 5 },
    reservations: [{ type: 'DYNAMIC', role: 'a/b' }],
    disk: {
      persistence: { id },
      volume: { container_path: 'v', mode: 'RW' },
      ...(source === undefined ? {} : { source }),
    },
  };
}

function operation(n: number): Operation {
  const agent_id = { value: 'a' };
  const latest_status = {
    state: 'OPERATION_FINISHED' as const,
    uuid: { value: new Uint8Array(16).fill(n + 100) },
    agent_id,
  };
  const info = { type: 'CREATE' as const, create: { volumes: [volume(`v${n}`)] } };
  const uuid = { value: new Uint8Array(16).fill(n) };
  return { agent_id, info, latest_status, statuses: [latest_status], uuid };
}

const before: KeptResources = {
  resources: [volume('v1'), volume('v2')],
  operations: [operation(1), operation(2)],
};
const next: KeptResources = {
  resources: [volume('v2'), volume('v3')],
  operations: [operation(2), operation(3)],
};

const volumesIn = (disk: SimDisk) => disk.list('/w/volumes/roles/a b');
const updatesIn = async (disk: SimDisk) => (await disk.list('/w/meta/slaves/a/operations')) ?? [];
const idsOf = (kept: KeptResources | undefined) =>
  (kept?.resources ?? []).map((one) => one.disk?.persistence?.id);

async function written(): Promise<SimDisk> {
  const disk = new SimDisk();
  await disk.makeFolder('/w');
  await new ResourceStore(paths, disk).write(before, 'a');
  return disk;
}

test('a crash before any of the writes leaves the state before or after, and its volumes', async () => {
  let crashes = 0;
  const seen = new Set<string>();
  for (let changes = 0; ; changes++) {
    const disk = await written();
    const dying = new DyingDisk(disk);
    const store = new ResourceStore(paths, dying);
    await store.recover('a');
    dying.changesLeft = changes;
    const isDone = await store.write(next, 'a').then(
      () => true,
      () => false,
    );
    const kept = await new ResourceStore(paths, disk).recover('a');
    const ids = idsOf(kept);
    seen.add(ids.join());
    assert.deepEqual(await volumesIn(disk), ids, `after ${changes} changes`);
    assert.equal((await updatesIn(disk)).length, 2);
    assert.deepEqual(
      kept?.operations.map(({ uuid }) => uuid.value[0]),
      ids.map((id) => Number(id?.slice(1))),
    );
    if (isDone) break;
    crashes++;
  }
  assert.ok(crashes >= 8, `${crashes} crashes`);
  assert.deepEqual([...seen], ['v1,v2', 'v2,v3']);
});

test('a volume that is there already keeps what is in it, through growth too', async () => {
  const disk = await written();
  await disk.writeAtomic('/w/volumes/roles/a b/v2/data', 'precious');
  const grown = { ...volume('v2'), scalar: { value: 50 } };
  const store = new ResourceStore(paths, disk);
  await store.recover('a');
  await store.write({ resources: [grown], operations: [] }, 'a');
  assert.equal(
    new TextDecoder().decode(await disk.read('/w/volumes/roles/a b/v2/data')),
    'precious',
  );
  assert.deepEqual(await volumesIn(disk), ['v2']);
  await store.write({ resources: [], operations: [] }, 'a');
  assert.equal(await disk.read('/w/volumes/roles/a b/v2/data'), undefined);
});

test('a destroyed volume on a mounted disk leaves an empty disk', async () => {
  const disk = new SimDisk();
  await disk.makeFolder('/mnt/d');
  await disk.writeAtomic('/mnt/d/data', 'old');
  await disk.makeFolder('/mnt/d/folder');
  await disk.makeFolder('/w');
  const store = new ResourceStore(paths, disk);
  const mounted = volume('v', { type: 'MOUNT', mount: { root: '/mnt/d' } });
  await store.write({ resources: [mounted], operations: [] }, 'a');
  await store.write({ resources: [], operations: [] }, 'a');
  assert.deepEqual(await disk.list('/mnt/d'), []);
});

test("what an agent from before operation feedback wrote is read, and a new id's operations are none", async () => {
  const disk = await written();
  await disk.remove('/w/meta/resources/resources_and_operations.state');
  const kept = await new ResourceStore(paths, disk).recover('');
  assert.deepEqual(idsOf(kept), ['v1', 'v2']);
  assert.deepEqual(kept?.operations, []);
});

test('a file that cannot be read is named', async () => {
  const disk = await written();
  const path = '/w/meta/resources/resources_and_operations.state';
  await disk.writeAtomic(path, Uint8Array.of(2, 0, 0, 0, 0xff, 0xff));
  await assert.rejects(new ResourceStore(paths, disk).recover('a'), (error: Error) =>
    error.message.includes(path),
  );
});
