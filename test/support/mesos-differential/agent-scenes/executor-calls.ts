// The executor API of an agent, as nobody's executor asks it: calls that lack parts, name what is not there,
// with odd headers; and the endpoint of resource providers.
import type { Scene } from '#test/support/mesos-differential/corpus.ts';
import { JSON_TYPE, PROTOBUF_TYPE, type World } from '#test/support/mesos-differential/player.ts';
import { encode, parseJson } from '#wire/mesos/codec.ts';

const PATH = '/slave(1)/api/v1/executor';
const ids = { executor_id: { value: 'e' }, framework_id: { value: 'f' } };

const status = { task_id: { value: 't' }, state: 'TASK_RUNNING', uuid: 'AAAAAAAAQACAAAAAAAAAAA==' };

const calls: readonly object[] = [
  {},
  { type: 'UNKNOWN', ...ids },
  { type: 'NOTHING', ...ids },
  { type: 'SUBSCRIBE' },
  { type: 'SUBSCRIBE', executor_id: { value: 'e' } },
  { type: 'SUBSCRIBE', framework_id: { value: 'f' } },
  { type: 'SUBSCRIBE', ...ids },
  { type: 'SUBSCRIBE', ...ids, subscribe: {} },
  { type: 'UPDATE', ...ids },
  { type: 'UPDATE', ...ids, update: {} },
  { type: 'UPDATE', ...ids, update: { status: { ...status, uuid: undefined } } },
  { type: 'UPDATE', ...ids, update: { status: { ...status, uuid: 'AAAA' } } },
  {
    type: 'UPDATE',
    ...ids,
    update: { status: { ...status, state: 'TASK_STAGING', source: 'SOURCE_EXECUTOR' } },
  },
  { type: 'UPDATE', ...ids, update: { status } },
  { type: 'UPDATE', ...ids, update: { status: { ...status, source: 'SOURCE_MASTER' } } },
  { type: 'UPDATE', ...ids, update: { status: { ...status, source: 'SOURCE_EXECUTOR' } } },
  {
    type: 'UPDATE',
    ...ids,
    update: {
      status: { ...status, source: 'SOURCE_EXECUTOR', executor_id: { value: 'other' } },
    },
  },
  { type: 'MESSAGE', ...ids },
  { type: 'MESSAGE', ...ids, message: {} },
  { type: 'MESSAGE', ...ids, message: { data: 'aGVsbG8=' } },
  { type: 'HEARTBEAT', ...ids },
];

async function headers(world: World): Promise<void> {
  const body = JSON.stringify({ type: 'MESSAGE', ...ids, message: { data: '' } });
  const subscribe = JSON.stringify({ type: 'SUBSCRIBE', ...ids, subscribe: {} });
  const ask = async (head: Record<string, string>, text: string = body): Promise<void> => {
    const step = `${JSON.stringify(head)} ${text}`;
    await world.http(step, { method: 'POST', path: PATH, headers: head, body: text });
  };
  await ask({});
  for (const type of ['text/plain', 'application/json; charset=utf-8', '']) {
    await ask({ 'Content-Type': type });
  }
  const json = { 'Content-Type': JSON_TYPE };
  for (const text of ['', '{', '[]', 'null', '{"type":1}']) await ask(json, text);
  for (const accept of ['text/html', '*/*', PROTOBUF_TYPE]) {
    await ask({ ...json, Accept: accept });
    await ask({ ...json, Accept: accept }, subscribe);
  }
  await ask({ 'Content-Type': PROTOBUF_TYPE }, '\xff\xff');
}

async function providers(world: World): Promise<void> {
  const path = '/slave(1)/api/v1/resource_provider';
  const info = { type: 'org.apache.mesos.rp.test', name: 'one' };
  const bodies = [
    '',
    '{',
    '{}',
    '{"type":"UNKNOWN"}',
    '{"type":"SUBSCRIBE"}',
    '{"type":"SUBSCRIBE","subscribe":{}}',
    '{"type":"SUBSCRIBE","subscribe":{"resource_provider_info":{}}}',
    '{"type":"UPDATE_STATE"}',
    '{"type":"UPDATE_STATE","resource_provider_id":{"value":"x"}}',
    '{"type":"UPDATE_STATE","resource_provider_id":{"value":"x"},"update_state":{}}',
    '{"type":"UPDATE_OPERATION_STATUS","resource_provider_id":{"value":"x"}}',
    '{"type":"UPDATE_PUBLISH_RESOURCES_STATUS","resource_provider_id":{"value":"x"}}',
  ];
  for (const body of bodies) {
    const head = { 'Content-Type': JSON_TYPE, Accept: JSON_TYPE };
    await world.http(`provider: ${body}`, { method: 'POST', path, headers: head, body });
  }
  const body = JSON.stringify({ type: 'SUBSCRIBE', subscribe: { resource_provider_info: info } });
  for (const head of [
    {},
    { 'Content-Type': 'text/plain' },
    { 'Content-Type': JSON_TYPE, Accept: 'text/html' },
  ]) {
    const step = `provider: ${JSON.stringify(head)}`;
    await world.http(step, { method: 'POST', path, headers: head, body });
  }
  for (const method of ['GET', 'PUT']) await world.http(`${method} ${path}`, { method, path });
}

export const agentExecutorCalls: Scene = {
  name: 'agent-executor-calls',
  async play(world) {
    for (const call of calls) {
      const step = JSON.stringify(call);
      const json = { 'Content-Type': JSON_TYPE, Accept: JSON_TYPE };
      const request = { method: 'POST', path: PATH };
      await world.http(step, { ...request, headers: json, body: step });
      let body: Uint8Array;
      try {
        body = encode('ExecutorCall', parseJson('ExecutorCall', step));
      } catch {
        continue;
      }
      const protobuf = { 'Content-Type': PROTOBUF_TYPE, Accept: PROTOBUF_TYPE };
      await world.http(`${step} (protobuf)`, { ...request, headers: protobuf, body });
    }
    await headers(world);
    await providers(world);
  },
};
