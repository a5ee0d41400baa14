// A provider of local disk: raw space becomes volumes and raw space again, once, whatever is lost between.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resourcesText } from '#mesos/resources/text.ts';
import type { Offer_Operation, Resource, ResourceState } from '#wire/mesos/v1.ts';
import { ProviderCore, type ProviderEffect, type ProviderInput, type Volume } from './core.ts';

const uuid = (byte: number) => ({ value: new Uint8Array(16).fill(byte) });
const KEY = '07'.repeat(16);

class Story {
  readonly core: ProviderCore;
  effects: ProviderEffect[] = [];
  now = 0;
  #next = 100;

  constructor(
    kept?: { id: string; state: ResourceState },
    megabytes = 100,
    found: readonly Volume[] = [],
  ) {
    const settings = {
      mountRoot: '/disk/volumes',
      megabytes,
      profile: 'fast',
      reservations: [],
      retryMs: 10,
      retryMsMax: 40,
      uuid: () => 'u',
      uuidBytes: () => uuid(this.#next++).value,
    };
    this.core = new ProviderCore(settings, kept, found);
  }

  input(input: ProviderInput): this {
    this.effects.push(...this.core.handle(input, this.now));
    return this;
  }

  subscribed(): this {
    return this.input({ kind: 'subscribed', id: 'rp' });
  }

  get version() {
    const told = this.calls('UPDATE_STATE').at(-1)?.update_state?.resource_version_uuid;
    assert.ok(told !== undefined);
    return told;
  }

  apply(info: Offer_Operation, byte = 7, version = this.version): this {
    const apply_operation = { info, operation_uuid: uuid(byte), resource_version_uuid: version };
    return this.input({ kind: 'event', event: { type: 'APPLY_OPERATION', apply_operation } });
  }

  calls(type: string) {
    return this.effects.flatMap((one) =>
      one.kind === 'call' && one.call.type === type ? [one.call] : [],
    );
  }

  statuses() {
    return this.calls('UPDATE_OPERATION_STATUS').flatMap(
      (call) => call.update_operation_status?.status ?? [],
    );
  }

  total(): string {
    return resourcesText(this.core.total);
  }

  kept(): { id: string; state: ResourceState } {
    const state = this.effects.flatMap((one) => (one.kind === 'keep' ? [one.state] : [])).at(-1);
    assert.ok(state !== undefined);
    return { id: 'rp', state };
  }
}

function raw(value: number): Resource {
  const disk = { source: { type: 'RAW' as const, profile: 'fast' } };
  const provider_id = { value: 'rp' };
  return { name: 'disk', type: 'SCALAR', scalar: { value }, disk, provider_id };
}

const createDisk = (value: number, target_type: 'MOUNT' | 'BLOCK' = 'MOUNT'): Offer_Operation => ({
  type: 'CREATE_DISK',
  create_disk: { source: { ...raw(value), allocation_info: { role: 'r' } }, target_type },
});

test('raw space becomes a volume when it is made, and raw space when it is removed', () => {
  const story = new Story().subscribed();
  assert.equal(story.total(), 'disk[RAW(,,fast)]:100');
  story.apply(createDisk(30));
  assert.equal(story.total(), 'disk[RAW(,,fast)]:100');
  assert.deepEqual(story.effects.at(-1), {
    kind: 'make',
    key: KEY,
    volume: { id: KEY, type: 'MOUNT', megabytes: 30 },
  });
  story.input({ kind: 'made', key: KEY });
  assert.equal(story.total(), `disk[RAW(,,fast)]:70; disk[MOUNT(,${KEY},fast)]:30`);
  const [made] = story.statuses().at(-1)?.converted_resources ?? [];
  assert.deepEqual(made?.disk?.source?.mount, { root: '/disk/volumes' });
  assert.deepEqual(made?.allocation_info, { role: 'r' });
  assert.ok(made !== undefined);
  story.apply({ type: 'DESTROY_DISK', destroy_disk: { source: made } }, 8);
  story.input({ kind: 'removed', key: '08'.repeat(16) });
  assert.equal(story.total(), 'disk[RAW(,,fast)]:100');
});

test('what is told is on the disk before', () => {
  const story = new Story().subscribed().apply(createDisk(30));
  story.effects = [];
  story.input({ kind: 'made', key: KEY });
  assert.deepEqual(
    story.effects.map(({ kind }) => kind),
    ['keep', 'call'],
  );
});

test('what fails changes nothing and says why', () => {
  const story = new Story().subscribed().apply(createDisk(30));
  story.input({ kind: 'failed', key: KEY, message: 'no room' });
  assert.equal(story.total(), 'disk[RAW(,,fast)]:100');
  assert.equal(story.statuses().at(-1)?.state, 'OPERATION_FAILED');
  assert.equal(story.statuses().at(-1)?.message, 'no room');
  story.apply(createDisk(500), 8);
  assert.equal(story.statuses().at(-1)?.message, 'Not there');
});

test('an operation for another version is dropped, and the whole is told anew', () => {
  const story = new Story().subscribed();
  const before = story.version;
  const reservations = [{ type: 'DYNAMIC' as const, role: 'r' }];
  story.apply(
    {
      type: 'RESERVE',
      id: { value: 'mine' },
      reserve: { resources: [{ ...raw(5), reservations }] },
    },
    7,
    uuid(1),
  );
  assert.equal(story.statuses().at(-1)?.state, 'OPERATION_DROPPED');
  assert.deepEqual(story.statuses().at(-1)?.operation_id, { value: 'mine' });
  assert.notDeepEqual(story.version, before);
  assert.equal(story.total(), 'disk[RAW(,,fast)]:100');
});

test('what was on its way before another subscription is dropped', () => {
  const story = new Story().subscribed();
  const before = story.version;
  story.input({ kind: 'disconnected' }).subscribed().apply(createDisk(30), 7, before);
  assert.equal(story.statuses().at(-1)?.state, 'OPERATION_DROPPED');
  assert.equal(story.total(), 'disk[RAW(,,fast)]:100');
});

test('a status is sent again until it is acknowledged, more and more seldom', () => {
  const story = new Story().subscribed().apply(createDisk(30)).input({ kind: 'made', key: KEY });
  const times: number[] = [];
  for (let i = 0; i < 4; i++) {
    story.now = story.core.nextDeadline();
    times.push(story.now);
    story.input({ kind: 'tick' });
  }
  assert.deepEqual(times, [10, 30, 70, 110]);
  const sent = story.statuses();
  assert.equal(sent.length, 5);
  const status_uuid = sent[0]?.uuid ?? uuid(0);
  const acknowledge_operation_status = { status_uuid, operation_uuid: uuid(7) };
  const type = 'ACKNOWLEDGE_OPERATION_STATUS';
  story.input({ kind: 'event', event: { type, acknowledge_operation_status } });
  assert.equal(story.core.nextDeadline(), Infinity);
  assert.deepEqual(story.kept().state.operations, []);
});

test('another life goes on with what was begun, and tells again what was not acknowledged', () => {
  const first = new Story().subscribed().apply(createDisk(30));
  const second = new Story(first.kept()).subscribed();
  assert.ok(second.effects.some(({ kind }) => kind === 'make'));
  second.input({ kind: 'made', key: KEY });
  const third = new Story(second.kept()).subscribed();
  assert.ok(third.core.total.equals(second.core.total));
  assert.equal(third.statuses().at(-1)?.state, 'OPERATION_FINISHED');
});

test('another size is of the raw space alone', () => {
  const kept = new Story()
    .subscribed()
    .apply(createDisk(30))
    .input({ kind: 'made', key: KEY })
    .kept();
  const sizes: [number, string][] = [
    [200, `disk[MOUNT(,${KEY},fast)]:30; disk[RAW(,,fast)]:170`],
    [40, `disk[MOUNT(,${KEY},fast)]:30; disk[RAW(,,fast)]:10`],
    [20, `disk[MOUNT(,${KEY},fast)]:30`],
  ];
  for (const [megabytes, want] of sizes) {
    assert.equal(new Story(kept, megabytes).subscribed().total(), want);
  }
});

test('a volume that is being made keeps its space when there is less', () => {
  const kept = new Story().subscribed().apply(createDisk(60)).kept();
  const story = new Story(kept, 40).subscribed();
  assert.equal(story.total(), 'disk[RAW(,,fast)]:60');
  story.input({ kind: 'made', key: KEY });
  assert.equal(story.total(), `disk[MOUNT(,${KEY},fast)]:60`);
});

test('reserved space stays as long as there is room', () => {
  const reservations = [{ type: 'DYNAMIC' as const, role: 'r' }];
  const reserve = { resources: [{ ...raw(80), reservations }] };
  const kept = new Story().subscribed().apply({ type: 'RESERVE', reserve }).kept();
  const sizes: [number, string][] = [
    [120, 'disk(reservations: [(DYNAMIC,r)])[RAW(,,fast)]:80; disk[RAW(,,fast)]:40'],
    [80, 'disk(reservations: [(DYNAMIC,r)])[RAW(,,fast)]:80'],
    [30, 'disk(reservations: [(DYNAMIC,r)])[RAW(,,fast)]:30'],
  ];
  for (const [megabytes, want] of sizes)
    assert.equal(new Story(kept, megabytes).subscribed().total(), want);
});

test('what a volume gives back is no more than is configured now', () => {
  const kept = new Story()
    .subscribed()
    .apply(createDisk(60))
    .input({ kind: 'made', key: KEY })
    .kept();
  const story = new Story(kept, 40).subscribed();
  const before = story.version;
  const [source] = story.core.total.toWire();
  assert.ok(source !== undefined);
  story.apply({ type: 'DESTROY_DISK', destroy_disk: { source } }, 8);
  story.input({ kind: 'removed', key: '08'.repeat(16) });
  assert.equal(story.total(), 'disk[RAW(,,fast)]:40');
  assert.notDeepEqual(story.version, before, 'it is told anew');
  assert.equal(story.statuses().at(-1)?.state, 'OPERATION_FINISHED');
});

test('volumes of a life that nothing is kept of are raw space with an id', () => {
  const found = [
    { id: 'old', type: 'MOUNT' as const, megabytes: 30 },
    { id: 'block', type: 'BLOCK' as const, megabytes: 20 },
  ];
  const story = new Story(undefined, 100, found).subscribed();
  const parts = (one: Story): string[] => one.total().split('; ').toSorted();
  assert.deepEqual(parts(story), [
    'disk[RAW(,,fast)]:50',
    'disk[RAW(,block,)]:20',
    'disk[RAW(,old,)]:30',
  ]);
  const source = (id: string): Resource => ({
    ...raw(id === 'old' ? 30 : 20),
    disk: { source: { type: 'RAW', id } },
  });
  const make = (id: string, target_profile = 'fast'): Offer_Operation => ({
    type: 'CREATE_DISK',
    create_disk: { source: source(id), target_type: 'MOUNT', target_profile },
  });
  story.apply(make('old', 'slow'), 5);
  assert.match(story.statuses().at(-1)?.message ?? '', /Profile 'slow' is not/);
  story.apply(make('block'), 6);
  assert.equal(story.statuses().at(-1)?.message, 'It is a BLOCK volume already');
  story.apply(make('old'), 7);
  assert.deepEqual(story.effects.at(-1), { kind: 'make', key: KEY, volume: found[0] });
  story.input({ kind: 'made', key: KEY });
  assert.match(story.total(), /disk\[MOUNT\(,old,fast\)\]:30/);
  story.apply({ type: 'DESTROY_DISK', destroy_disk: { source: source('block') } }, 8);
  story.input({ kind: 'removed', key: '08'.repeat(16) });
  assert.match(story.total(), /disk\[RAW\(,,fast\)\]:70/);
  const again = new Story(story.kept(), 100, found.slice(0, 1)).subscribed();
  assert.deepEqual(parts(again), parts(story), 'what is known is not found');
});

test('volumes are published by their names; others have nothing to be made usable', () => {
  const story = new Story().subscribed().apply(createDisk(30)).input({ kind: 'made', key: KEY });
  const volume = story.core.total.toWire().find((one) => one.disk?.source?.id === KEY);
  assert.ok(volume !== undefined);
  const publish_resources = { uuid: uuid(3), resources: [raw(5), volume] };
  story.input({ kind: 'event', event: { type: 'PUBLISH_RESOURCES', publish_resources } });
  assert.deepEqual(story.effects.at(-1), {
    kind: 'publish',
    uuid: uuid(3).value,
    volumes: [{ id: KEY, type: 'MOUNT', megabytes: 30 }],
  });
  story.input({ kind: 'published', uuid: uuid(3).value, isOk: true });
  const told = story.calls('UPDATE_PUBLISH_RESOURCES_STATUS')[0]?.update_publish_resources_status;
  assert.deepEqual(told, { uuid: uuid(3), status: 'OK' });
});
