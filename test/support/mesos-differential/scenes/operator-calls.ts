// The envelope of the v1 operator API, and every call of it on a master that knows nobody: without
// its body, with nonsense in it, and as it should be, in JSON and in protobuf.
import { gzipSync } from 'node:zlib';
import { encode } from '#wire/mesos/codec.ts';
import type { MasterCall } from '#wire/mesos/v1.ts';
import type { Scene } from '#test/support/mesos-differential/corpus.ts';
import { JSON_TYPE, PROTOBUF_TYPE, type World } from '#test/support/mesos-differential/player.ts';

const types = [
  'UNKNOWN',
  'GET_HEALTH',
  'GET_FLAGS',
  'GET_VERSION',
  'GET_METRICS',
  'GET_LOGGING_LEVEL',
  'SET_LOGGING_LEVEL',
  'LIST_FILES',
  'READ_FILE',
  'GET_STATE',
  'GET_AGENTS',
  'GET_FRAMEWORKS',
  'GET_EXECUTORS',
  'GET_OPERATIONS',
  'GET_TASKS',
  'GET_ROLES',
  'GET_WEIGHTS',
  'UPDATE_WEIGHTS',
  'GET_MASTER',
  'RESERVE_RESOURCES',
  'UNRESERVE_RESOURCES',
  'CREATE_VOLUMES',
  'DESTROY_VOLUMES',
  'GROW_VOLUME',
  'SHRINK_VOLUME',
  'GET_MAINTENANCE_STATUS',
  'GET_MAINTENANCE_SCHEDULE',
  'UPDATE_MAINTENANCE_SCHEDULE',
  'START_MAINTENANCE',
  'STOP_MAINTENANCE',
  'DRAIN_AGENT',
  'DEACTIVATE_AGENT',
  'REACTIVATE_AGENT',
  'GET_QUOTA',
  'UPDATE_QUOTA',
  'SET_QUOTA',
  'REMOVE_QUOTA',
  'TEARDOWN',
  'MARK_AGENT_GONE',
] as const;

const path = '/api/v1';

async function envelope(world: World): Promise<void> {
  const send = (step: string, headers: Record<string, string>, body: string | Uint8Array = '') =>
    world.http(step, { method: 'POST', path, headers, body });
  const health = '{"type":"GET_HEALTH"}';
  await send('no content type', {}, health);
  for (const type of ['text/plain', 'application/json; charset=utf-8', 'Application/JSON', '']) {
    await send(`content type "${type}"`, { 'Content-Type': type }, health);
  }
  const json = { 'Content-Type': JSON_TYPE };
  for (const body of [
    '',
    '{',
    '[]',
    'null',
    '1',
    '"x"',
    '{}',
    '{"type":1}',
    '{"type":"NONSENSE"}',
    '{"type":null}',
    '{"type":"GET_HEALTH","more":{"a":[1]}}',
    '{"type":"GET_HEALTH"} x',
    ' {"type":"GET_HEALTH"} ',
    '{"type":"GET_HEALTH","get_metrics":7}',
    '{"type":"GET_METRICS","get_metrics":{"timeout":{"nanoseconds":"x"}}}',
    '{"type":"GET_METRICS","get_metrics":{"timeout":{}}}',
    '{"type":"READ_FILE","read_file":{"path":"x","offset":-1}}',
    '{"type":"READ_FILE","read_file":{"path":"x","offset":"0"}}',
    '{"type":"READ_FILE","read_file":{"path":7,"offset":0}}',
    '{"type":"TEARDOWN","teardown":{"framework_id":{}}}',
    '{"type":"TEARDOWN","teardown":{"framework_id":"x"}}',
    '{"type":"TEARDOWN","teardown":[]}',
    '{"type":"DRAIN_AGENT","drain_agent":{"agent_id":{"value":"x"},"mark_gone":"true"}}',
    '{"type":"DRAIN_AGENT","drain_agent":{"agent_id":{"value":"x"},"mark_gone":1}}',
    '{"type":"DRAIN_AGENT","drain_agent":{"agent_id":{"value":"x"},"max_grace_period":"10mins"}}',
    '{"type":"UPDATE_WEIGHTS","update_weights":{"weight_infos":{}}}',
    '{"type":"UPDATE_WEIGHTS","update_weights":{"weight_infos":[{"role":"a"}]}}',
  ]) {
    await send(`JSON ${body}`, json, body);
  }
  const protobuf = { 'Content-Type': PROTOBUF_TYPE };
  const good = encode('MasterCall', { type: 'GET_VERSION' });
  await send('protobuf garbage', protobuf, 'garbage');
  await send('protobuf of no bytes', protobuf);
  await send('protobuf truncated', protobuf, good.subarray(0, good.length - 1));
  await send('protobuf with an unknown enum value', protobuf, Uint8Array.of(8, 99));
  await send('protobuf with an unknown field', protobuf, Uint8Array.of(...good, 0x98, 6, 1));
  await send('protobuf with a required field missing', protobuf, Uint8Array.of(8, 31, 130, 1, 0));
  await send('protobuf answered in JSON', { ...protobuf, Accept: JSON_TYPE }, good);
  for (const accept of [
    '*/*',
    'application/*',
    'text/html',
    'text/html, application/json;q=0.5',
    'application/json;q=0',
    'application/json, application/x-protobuf',
    'application/recordio',
    '',
    'APPLICATION/JSON',
    'application/json;q=0, */*',
    'application/x-protobuf;q=0, application/*',
    'application/json;q=x',
    'application/json;q=0;q=1',
    ' text/html ,\tapplication/json ',
  ]) {
    await send(`accepting "${accept}"`, { ...json, Accept: accept }, health);
  }
  await send('with gzip', { ...json, 'Accept-Encoding': 'gzip' }, '{"type":"GET_FLAGS"}');
  await send('jsonp is not for v1', json, health);
  const packed = { ...json, 'Content-Encoding': 'gzip' };
  await send('packed', packed, gzipSync(health));
  await send('packed, as it says', packed, health);
  await send('packed otherwise, as it says', { ...json, 'Content-Encoding': 'deflate' }, health);
}

const valid: readonly MasterCall[] = [
  { type: 'GET_METRICS', get_metrics: {} },
  { type: 'SET_LOGGING_LEVEL', set_logging_level: { level: 1, duration: { nanoseconds: 1e9 } } },
  { type: 'SET_LOGGING_LEVEL', set_logging_level: { level: 99, duration: { nanoseconds: 1e9 } } },
  { type: 'LIST_FILES', list_files: { path: '/nothing' } },
  { type: 'LIST_FILES', list_files: { path: '' } },
  { type: 'READ_FILE', read_file: { path: '/nothing', offset: 0 } },
  { type: 'READ_FILE', read_file: { path: '', offset: 0, length: 10 } },
  { type: 'UPDATE_WEIGHTS', update_weights: {} },
  { type: 'UPDATE_WEIGHTS', update_weights: { weight_infos: [{ role: 'a', weight: 2 }] } },
  { type: 'UPDATE_WEIGHTS', update_weights: { weight_infos: [{ role: 'a', weight: 0 }] } },
  { type: 'UPDATE_WEIGHTS', update_weights: { weight_infos: [{ role: 'a', weight: -1.5 }] } },
  { type: 'UPDATE_WEIGHTS', update_weights: { weight_infos: [{ role: '/a', weight: 1 }] } },
  { type: 'UPDATE_WEIGHTS', update_weights: { weight_infos: [{ role: '', weight: 1 }] } },
  { type: 'UPDATE_WEIGHTS', update_weights: { weight_infos: [{ weight: 1 }] } },
  {
    type: 'UPDATE_WEIGHTS',
    update_weights: {
      weight_infos: [
        { role: 'b', weight: 3 },
        { role: 'b', weight: 4 },
      ],
    },
  },
  { type: 'GET_WEIGHTS' },
  { type: 'RESERVE_RESOURCES', reserve_resources: { agent_id: { value: 'x' } } },
  { type: 'UNRESERVE_RESOURCES', unreserve_resources: { agent_id: { value: 'x' } } },
  { type: 'CREATE_VOLUMES', create_volumes: { agent_id: { value: 'x' } } },
  { type: 'DESTROY_VOLUMES', destroy_volumes: { agent_id: { value: 'x' } } },
  { type: 'DRAIN_AGENT', drain_agent: { agent_id: { value: 'x' } } },
  { type: 'DRAIN_AGENT', drain_agent: { agent_id: { value: 'x' }, mark_gone: true } },
  {
    type: 'DRAIN_AGENT',
    drain_agent: { agent_id: { value: 'x' }, max_grace_period: { seconds: -5 } },
  },
  { type: 'DEACTIVATE_AGENT', deactivate_agent: { agent_id: { value: 'x' } } },
  { type: 'REACTIVATE_AGENT', reactivate_agent: { agent_id: { value: 'x' } } },
  { type: 'MARK_AGENT_GONE', mark_agent_gone: { agent_id: { value: 'x' } } },
  { type: 'TEARDOWN', teardown: { framework_id: { value: 'x' } } },
  { type: 'UPDATE_MAINTENANCE_SCHEDULE', update_maintenance_schedule: { schedule: {} } },
  { type: 'START_MAINTENANCE', start_maintenance: {} },
  { type: 'START_MAINTENANCE', start_maintenance: { machines: [{}] } },
  { type: 'START_MAINTENANCE', start_maintenance: { machines: [{ hostname: 'h' }] } },
  { type: 'STOP_MAINTENANCE', stop_maintenance: {} },
  { type: 'STOP_MAINTENANCE', stop_maintenance: { machines: [{ hostname: 'h' }] } },
  { type: 'UPDATE_QUOTA', update_quota: {} },
  { type: 'SET_QUOTA', set_quota: { quota_request: { role: 'a' } } },
];

export const operatorCalls: Scene = {
  name: 'operator-calls',
  async play(world) {
    await envelope(world);
    for (const type of types) await world.operator(`${type} alone`, { type });
    const counts = new Map<string, number>();
    for (const call of valid) {
      const type = call.type ?? '';
      const count = (counts.get(type) ?? 0) + 1;
      counts.set(type, count);
      await world.operator(`${type} ${count}`, call);
    }
  },
};
