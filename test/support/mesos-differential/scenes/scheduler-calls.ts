// The envelope of the v1 scheduler API, who may subscribe with what, and each call when it is wrong.
import { encode } from '#wire/mesos/codec.ts';
import type { Scene } from '#test/support/mesos-differential/corpus.ts';
import {
  JSON_TYPE,
  PROTOBUF_TYPE,
  Scheduler,
  type World,
} from '#test/support/mesos-differential/player.ts';
import { aFramework, type Json } from './things.ts';

const path = '/api/v1/scheduler';
const json = { 'Content-Type': JSON_TYPE };

async function envelope(world: World): Promise<void> {
  const send = (step: string, headers: Record<string, string>, body: string | Uint8Array = '') =>
    world.http(step, { method: 'POST', path, headers, body });
  const revive = '{"type":"REVIVE","framework_id":{"value":"nobody"}}';
  await send('no content type', {}, revive);
  await send('a wrong content type', { 'Content-Type': 'text/plain' }, revive);
  await send('garbage as protobuf', { 'Content-Type': PROTOBUF_TYPE }, 'garbage');
  const subscribe = JSON.stringify({
    type: 'SUBSCRIBE',
    subscribe: { framework_info: aFramework('f') },
  });
  await send('SUBSCRIBE accepting text', { ...json, Accept: 'text/html' }, subscribe);
  await send('SUBSCRIBE with a stream id', { ...json, 'Mesos-Stream-Id': 'x' }, subscribe);
  await send('REVIVE accepting text', { ...json, Accept: 'text/html' }, revive);
  const reconcile =
    '{"type":"RECONCILE_OPERATIONS","framework_id":{"value":"x"},"reconcile_operations":{}}';
  await send('RECONCILE_OPERATIONS accepting text', { ...json, Accept: 'text/html' }, reconcile);
  await send('an unknown framework', json, revive);
  const bytes = encode('SchedulerCall', { type: 'REVIVE', framework_id: { value: 'nobody' } });
  await send('an unknown framework in protobuf', { 'Content-Type': PROTOBUF_TYPE }, bytes);
  for (const body of [
    '{}',
    '{"type":"REVIVE"}',
    '{"type":"SUBSCRIBE"}',
    '{"type":"SUBSCRIBE","subscribe":{}}',
    '{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"u"}}}',
    '{"type":"SUBSCRIBE","subscribe":{"framework_info":{"name":"n"}}}',
    '{"type":"SUBSCRIBE","framework_id":{"value":"a"},"subscribe":{"framework_info":{"user":"u","name":"n","id":{"value":"b"}}}}',
    '{"type":"SUBSCRIBE","framework_id":{"value":"a"},"subscribe":{"framework_info":{"user":"u","name":"n"}}}',
    '{"type":"UNKNOWN","framework_id":{"value":"a"}}',
    '{"type":"UNKNOWN"}',
    '{"type":"NONSENSE","framework_id":{"value":"a"}}',
  ]) {
    await send(body, json, body);
  }
  for (const type of [
    'TEARDOWN',
    'ACCEPT',
    'DECLINE',
    'ACCEPT_INVERSE_OFFERS',
    'DECLINE_INVERSE_OFFERS',
    'REVIVE',
    'KILL',
    'SHUTDOWN',
    'ACKNOWLEDGE',
    'ACKNOWLEDGE_OPERATION_STATUS',
    'RECONCILE',
    'RECONCILE_OPERATIONS',
    'MESSAGE',
    'REQUEST',
    'SUPPRESS',
    'UPDATE_FRAMEWORK',
  ]) {
    await send(`${type} alone`, json, JSON.stringify({ type }));
    const framework_id = { value: 'nobody' };
    await send(`${type} of nobody`, json, JSON.stringify({ type, framework_id }));
  }
}

const quantities = (value: unknown): Json => ({
  offer_filters: {
    r: { min_allocatable_resources: { quantities: [{ quantities: { cpus: value } }] } },
  },
});

/** Name -> what differs from a good framework. */
const infos: Readonly<Record<string, Json>> = {
  good: {},
  'no roles': { roles: [] },
  'no capabilities': { capabilities: [], roles: undefined },
  'an old role': { capabilities: [], roles: undefined, role: 'r' },
  'role with MULTI_ROLE': { role: 'r' },
  'roles without MULTI_ROLE': { capabilities: [] },
  'a role twice': { roles: ['a', 'a', 'b'] },
  'an empty role': { roles: [''] },
  'a role with a slash first': { roles: ['/a'] },
  'a role with a slash last': { roles: ['a/'] },
  'a role with two slashes': { roles: ['a//b'] },
  'a role of dots': { roles: ['a/..'] },
  'a role of one dot': { roles: ['.'] },
  'a role with a star': { roles: ['a/*'] },
  'a role with a dash first': { roles: ['-a'] },
  'a role with a dash inside': { roles: ['a/-b'] },
  'a role with a space': { roles: ['a b'] },
  'a role with a tab': { roles: ['a\tb'] },
  'the star': { roles: ['*'] },
  'an old empty role': { capabilities: [], roles: undefined, role: '' },
  'an old role with a space': { capabilities: [], roles: undefined, role: 'a b' },
  'an id with a slash': { id: { value: 'a/b' } },
  'an id of dots': { id: { value: '..' } },
  'an id that is long': { id: { value: 'x'.repeat(256) } },
  'an id of its own': { id: { value: 'my-framework' } },
  'an empty id': { id: { value: '' } },
  'a negative failover timeout': { failover_timeout: -1 },
  'a failover timeout beyond all': { failover_timeout: 1e30 },
  'a failover timeout of infinity': { failover_timeout: 'Infinity' },
  'a year of failover timeout': { failover_timeout: 31536000 },
  'an unknown capability': { capabilities: [{ type: 'MULTI_ROLE' }, { type: 'FLYING' }] },
  'a capability twice': { capabilities: [{ type: 'MULTI_ROLE' }, { type: 'MULTI_ROLE' }] },
  'labels and more': {
    labels: { labels: [{ key: 'a', value: 'b' }, { key: 'c' }] },
    hostname: 'h',
    webui_url: 'http://h/',
    checkpoint: true,
    failover_timeout: 86400,
  },
  'a principal': { principal: 'someone' },
  'offer filters': quantities({ value: 0.5 }),
  'offer filters below nothing': quantities({ value: -1 }),
  'offer filters of nothing': {
    offer_filters: { r: { min_allocatable_resources: { quantities: [{}] } } },
  },
  'offer filters without any': { offer_filters: { r: { min_allocatable_resources: {} } } },
  'offer filters of a role that is not its own': { offer_filters: { other: {} } },
};

const constraints = (predicate: Json, attribute_name = 'rack'): Json => ({
  offer_constraints: {
    role_constraints: {
      r: {
        groups: [{ attribute_constraints: [{ selector: { attribute_name }, predicate }] }],
      },
    },
  },
});

/** Name -> what is beside the info in the call. */
const more: Readonly<Record<string, Json>> = {
  'a suppressed role': { suppressed_roles: ['r'] },
  'a suppressed role that is not its own': { suppressed_roles: ['r', 'x'] },
  'a suppressed role that is none': { suppressed_roles: ['/'] },
  'a suppressed role twice': { suppressed_roles: ['r', 'r'] },
  constraints: constraints({ text_equals: { value: 'a' } }),
  'constraints that exist': constraints({ exists: {} }),
  'constraints of no group': { offer_constraints: { role_constraints: { r: {} } } },
  'constraints of an empty group': {
    offer_constraints: { role_constraints: { r: { groups: [{}] } } },
  },
  'constraints without predicate': {
    offer_constraints: {
      role_constraints: {
        r: { groups: [{ attribute_constraints: [{ selector: { attribute_name: 'a' } }] }] },
      },
    },
  },
  'constraints of an unknown role': {
    offer_constraints: { role_constraints: { other: { groups: [] } } },
  },
  'constraints with a broken expression': constraints({ text_matches: { regex: '(' } }),
  'constraints with a great expression': constraints({ text_matches: { regex: 'a{1000}' } }),
  'no constraints': { offer_constraints: {} },
};

async function subscriptions(world: World): Promise<void> {
  for (const type of [JSON_TYPE, PROTOBUF_TYPE] as const) {
    for (const [name, change] of Object.entries(infos)) {
      // A fixed id is one framework only.
      if (type === PROTOBUF_TYPE && 'id' in change) continue;
      const one = new Scheduler(world, `${name} (${type})`, type);
      await one.subscribe(aFramework(name, change));
      one.stream.close();
    }
  }
  for (const [name, beside] of Object.entries(more)) {
    const one = new Scheduler(world, name);
    await one.subscribe(aFramework(name), beside);
    one.stream.close();
  }
}

/** Calls of a framework that is subscribed, with nothing to refer to. */
async function calls(world: World): Promise<void> {
  const one = await new Scheduler(world, 'caller').subscribe(aFramework('caller'));
  const id = (value: string) => ({ value });
  await one.call('no stream id', { type: 'REVIVE' }, { 'Mesos-Stream-Id': '' });
  await one.call('a wrong stream id', { type: 'REVIVE' }, { 'Mesos-Stream-Id': 'x' });
  await world.http('caller: without a stream id', {
    method: 'POST',
    path,
    headers: json,
    body: JSON.stringify({ type: 'REVIVE', framework_id: id(one.frameworkId) }),
  });
  const list: readonly Json[] = [
    { type: 'REVIVE' },
    { type: 'REVIVE', revive: { roles: ['r'] } },
    { type: 'REVIVE', revive: { roles: ['x'] } },
    { type: 'SUPPRESS' },
    { type: 'SUPPRESS', suppress: { roles: ['/'] } },
    { type: 'DECLINE', decline: { offer_ids: [id('nothing')] } },
    { type: 'DECLINE', decline: {} },
    { type: 'DECLINE', decline: { offer_ids: [{}] } },
    { type: 'ACCEPT', accept: {} },
    { type: 'ACCEPT', accept: { offer_ids: [id('nothing')], operations: [{ type: 'LAUNCH' }] } },
    { type: 'ACCEPT', accept: { offer_ids: [id('x')], operations: [{}] } },
    { type: 'ACCEPT_INVERSE_OFFERS', accept_inverse_offers: { inverse_offer_ids: [id('x')] } },
    { type: 'DECLINE_INVERSE_OFFERS', decline_inverse_offers: { inverse_offer_ids: [id('x')] } },
    { type: 'KILL', kill: { task_id: id('x'), agent_id: id('y') } },
    { type: 'KILL', kill: {} },
    { type: 'SHUTDOWN', shutdown: { executor_id: id('x'), agent_id: id('y') } },
    { type: 'ACKNOWLEDGE', acknowledge: { agent_id: id('a'), task_id: id('t'), uuid: 'AAAA' } },
    { type: 'ACKNOWLEDGE', acknowledge: { agent_id: id('a'), task_id: id('t'), uuid: '*' } },
    {
      type: 'ACKNOWLEDGE',
      acknowledge: { agent_id: id('a'), task_id: id('t'), uuid: 'AAAAABERQiKDM0REREREAA==' },
    },
    {
      type: 'ACKNOWLEDGE_OPERATION_STATUS',
      acknowledge_operation_status: { uuid: 'AAAA', operation_id: id('o') },
    },
    {
      type: 'ACKNOWLEDGE_OPERATION_STATUS',
      acknowledge_operation_status: {
        uuid: 'AAAAABERQiKDM0REREREAA==',
        operation_id: id('o'),
      },
    },
    {
      type: 'ACKNOWLEDGE_OPERATION_STATUS',
      acknowledge_operation_status: {
        uuid: 'AAAAABERQiKDM0REREREAA==',
        operation_id: id('o'),
        agent_id: id('a'),
      },
    },
    { type: 'RECONCILE', reconcile: {} },
    { type: 'RECONCILE_OPERATIONS', reconcile_operations: {} },
    {
      type: 'RECONCILE_OPERATIONS',
      reconcile_operations: { operations: [{ operation_id: id('o') }] },
    },
    { type: 'MESSAGE', message: { agent_id: id('a'), executor_id: id('e'), data: 'AAAA' } },
    { type: 'MESSAGE', message: { agent_id: id('a'), executor_id: id('e') } },
    { type: 'REQUEST', request: { requests: [] } },
    { type: 'REQUEST', request: { requests: [{ resources: [{ name: 'cpus' }] }] } },
    { type: 'SUBSCRIBE', subscribe: { framework_info: aFramework('caller') } },
    { type: 'UPDATE_FRAMEWORK', update_framework: { framework_info: aFramework('caller') } },
  ];
  for (const [index, call] of list.entries())
    await one.call(`call ${index} ${String(call['type'])}`, call);
  await one.stream.expect('UPDATE');
  await one.stream.expect('UPDATE_OPERATION_STATUS');
  await updates(one);
  await one.call('TEARDOWN', { type: 'TEARDOWN' });
  await one.stream.end();
  await one.call('after TEARDOWN', { type: 'REVIVE' });
}

async function updates(one: Scheduler): Promise<void> {
  const id = { value: one.frameworkId };
  const changes: Readonly<Record<string, Json>> = {
    'the same': {},
    'another name': { name: 'another' },
    'another user': { user: 'nobody' },
    'another principal': { principal: 'p' },
    checkpoint: { checkpoint: true },
    'another role': { roles: ['s'] },
    'a wrong role': { roles: ['/s'] },
    'a failover timeout': { failover_timeout: 3600 },
    'no MULTI_ROLE': { capabilities: [], roles: undefined },
    labels: { labels: { labels: [{ key: 'k', value: 'v' }] } },
  };
  for (const [name, change] of Object.entries(changes)) {
    const framework_info = aFramework('caller', { id, ...change });
    const update_framework = { framework_info };
    await one.call(`update: ${name}`, { type: 'UPDATE_FRAMEWORK', update_framework });
  }
  for (const [name, beside] of Object.entries(more)) {
    const framework_info = aFramework('caller', { id, failover_timeout: 3600 });
    const update_framework = { framework_info, ...beside };
    await one.call(`update with ${name}`, { type: 'UPDATE_FRAMEWORK', update_framework });
  }
}

async function failovers(world: World): Promise<void> {
  const info = aFramework('returning', { failover_timeout: 3600, principal: 'p' });
  const first = await new Scheduler(world, 'first life').subscribe(info);
  const id = { value: first.frameworkId };
  const second = await new Scheduler(world, 'second life').subscribe({ ...info, id });
  await first.stream.end();
  await first.call('the first life calls', { type: 'REVIVE' });
  second.stream.close();
  await world.until('noticed', async () => {
    const { bytes } = await world.ask({ path: `/frameworks?framework_id=${id.value}` });
    const { frameworks } = JSON.parse(bytes.toString()) as { frameworks: { connected: boolean }[] };
    return frameworks[0]?.connected === false ? true : undefined;
  });
  await world.http('a framework that is away', { path: `/frameworks?framework_id=${id.value}` });
  await second.call('without its stream', { type: 'REVIVE' });
  await new Scheduler(world, 'another principal').subscribe({ ...info, id, principal: 'q' });
  await new Scheduler(world, 'another user').subscribe({
    ...info,
    id,
    user: 'q',
    checkpoint: true,
  });
  await world.http('a framework that came back', { path: `/frameworks?framework_id=${id.value}` });
  await world.operatorJson('TEARDOWN', { type: 'TEARDOWN', teardown: { framework_id: id } });
  await new Scheduler(world, 'after its end').subscribe({ ...info, id });
}

export const schedulerCalls: Scene = {
  name: 'scheduler-calls',
  async play(world) {
    await envelope(world);
    await subscriptions(world);
    await calls(world);
    await failovers(world);
    await world.get('/frameworks');
    await world.operator('GET_FRAMEWORKS', { type: 'GET_FRAMEWORKS' });
  },
};
