// The v1 operator API of an agent that runs nothing: every call, whole and lacking parts, of containers that
// are not there, in both encodings and with odd headers.
import type { Scene } from '#test/support/mesos-differential/corpus.ts';
import { JSON_TYPE, PROTOBUF_TYPE, type World } from '#test/support/mesos-differential/player.ts';
import { encode, parseJson } from '#wire/mesos/codec.ts';

const PATH = '/slave(1)/api/v1';

const nobody = { value: 'nobody' };
const nested = { value: 'child', parent: nobody };
const odd = [
  {},
  { value: '' },
  { value: 'a/b' },
  { value: '..' },
  { value: 'a b' },
  { value: 'x', parent: {} },
];
const tooLong = { value: 'x'.repeat(300) };

/** In JSON, as they stand. */
const calls: readonly object[] = [
  {},
  { type: 'UNKNOWN' },
  { type: 'NOTHING' },
  { type: 'GET_HEALTH' },
  { type: 'GET_VERSION' },
  { type: 'GET_FLAGS' },
  { type: 'GET_LOGGING_LEVEL' },
  { type: 'GET_AGENT' },
  { type: 'GET_TASKS' },
  { type: 'GET_EXECUTORS' },
  { type: 'GET_FRAMEWORKS' },
  { type: 'GET_OPERATIONS' },
  { type: 'GET_RESOURCE_PROVIDERS' },
  { type: 'GET_STATE' },
  { type: 'GET_CONTAINERS' },
  { type: 'GET_CONTAINERS', get_containers: {} },
  { type: 'GET_CONTAINERS', get_containers: { show_nested: true, show_standalone: true } },
  { type: 'GET_METRICS', get_metrics: { timeout: {} } },
  { type: 'SET_LOGGING_LEVEL' },
  { type: 'SET_LOGGING_LEVEL', set_logging_level: {} },
  { type: 'SET_LOGGING_LEVEL', set_logging_level: { level: 1 } },
  { type: 'SET_LOGGING_LEVEL', set_logging_level: { level: 1, duration: { nanoseconds: 1e9 } } },
  { type: 'SET_LOGGING_LEVEL', set_logging_level: { level: 0, duration: { nanoseconds: 1e9 } } },
  { type: 'LIST_FILES' },
  { type: 'LIST_FILES', list_files: {} },
  { type: 'LIST_FILES', list_files: { path: '' } },
  { type: 'LIST_FILES', list_files: { path: '/nothing' } },
  { type: 'READ_FILE' },
  { type: 'READ_FILE', read_file: {} },
  { type: 'READ_FILE', read_file: { path: '/nothing' } },
  { type: 'READ_FILE', read_file: { path: '/nothing', offset: 0 } },
  { type: 'READ_FILE', read_file: { path: '', offset: 0, length: 1 } },
  { type: 'PRUNE_IMAGES' },
  { type: 'PRUNE_IMAGES', prune_images: {} },
  { type: 'MARK_RESOURCE_PROVIDER_GONE' },
  { type: 'MARK_RESOURCE_PROVIDER_GONE', mark_resource_provider_gone: {} },
  {
    type: 'MARK_RESOURCE_PROVIDER_GONE',
    mark_resource_provider_gone: { resource_provider_id: nobody },
  },
  { type: 'ADD_RESOURCE_PROVIDER_CONFIG' },
  { type: 'ADD_RESOURCE_PROVIDER_CONFIG', add_resource_provider_config: {} },
  { type: 'UPDATE_RESOURCE_PROVIDER_CONFIG' },
  { type: 'REMOVE_RESOURCE_PROVIDER_CONFIG' },
  { type: 'REMOVE_RESOURCE_PROVIDER_CONFIG', remove_resource_provider_config: { type: 'a' } },
  ...containerCalls('WAIT_NESTED_CONTAINER'),
  ...containerCalls('KILL_NESTED_CONTAINER'),
  ...containerCalls('REMOVE_NESTED_CONTAINER'),
  ...containerCalls('WAIT_CONTAINER'),
  ...containerCalls('KILL_CONTAINER'),
  ...containerCalls('REMOVE_CONTAINER'),
  ...containerCalls('ATTACH_CONTAINER_OUTPUT'),
  ...containerCalls('LAUNCH_NESTED_CONTAINER'),
  ...containerCalls('LAUNCH_NESTED_CONTAINER_SESSION'),
  ...containerCalls('LAUNCH_CONTAINER', [...odd, tooLong]),
  ...launches('LAUNCH_NESTED_CONTAINER', nested),
  ...launches('LAUNCH_NESTED_CONTAINER_SESSION', nested),
  // What is valid would start a container; the peer has no whole containerizer.
  ...launches('LAUNCH_CONTAINER', { value: 'one' }).filter((one) =>
    /"A"}]|,"container":/.test(JSON.stringify(one)),
  ),
  { type: 'ATTACH_CONTAINER_INPUT' },
  { type: 'ATTACH_CONTAINER_INPUT', attach_container_input: {} },
  { type: 'ATTACH_CONTAINER_INPUT', attach_container_input: { type: 'UNKNOWN' } },
  { type: 'ATTACH_CONTAINER_INPUT', attach_container_input: { type: 'CONTAINER_ID' } },
  {
    type: 'ATTACH_CONTAINER_INPUT',
    attach_container_input: { type: 'CONTAINER_ID', container_id: nobody },
  },
];

/** What ends the real agent. */
const unanswered: ReadonlySet<string> = new Set([
  '{"type":"REMOVE_CONTAINER","remove_container":{"container_id":{"value":"nobody"}}}',
]);

function containerCalls(
  type: string,
  ids: readonly object[] = [...odd, tooLong, nobody, nested, { value: 'a', parent: nested }],
): object[] {
  const field = type.toLowerCase();
  return [
    { type },
    { type, [field]: {} },
    ...ids.map((container_id) => ({ type, [field]: { container_id } })),
  ];
}

function launches(type: string, container_id: object): object[] {
  const field = type.toLowerCase();
  const cpus = { name: 'cpus', type: 'SCALAR', scalar: { value: 0.1 } };
  const bodies = [
    { command: { value: 'true' } },
    { command: {} },
    { command: { shell: false } },
    { command: { value: 'true', uris: [{ value: '' }] } },
    { command: { value: 'true', environment: { variables: [{ name: 'A' }] } } },
    {
      command: {
        value: 'true',
        environment: { variables: [{ name: 'A', type: 'SECRET', secret: {} }] },
      },
    },
    { command: { value: 'true' }, container: {} },
    { command: { value: 'true' }, container: { type: 'DOCKER' } },
    { command: { value: 'true' }, container: { type: 'MESOS', volumes: [{}] } },
    { command: { value: 'true' }, resources: [{ ...cpus, type: 'TEXT' }] },
    { command: { value: 'true' }, resources: [{ name: 'cpus', type: 'SCALAR' }] },
    { command: { value: 'true' }, resources: [{ ...cpus, scalar: { value: -1 } }] },
  ];
  return bodies.map((body) => ({ type, [field]: { container_id, ...body } }));
}

function bytesOf(call: object): Uint8Array | undefined {
  try {
    return encode('AgentCall', parseJson('AgentCall', JSON.stringify(call)));
  } catch {
    return undefined;
  }
}

async function negotiation(world: World): Promise<void> {
  const body = '{"type":"GET_HEALTH"}';
  const ask = async (headers: Record<string, string>, text: string = body): Promise<void> => {
    const step = `${JSON.stringify(headers)} ${text}`;
    await world.http(step, { method: 'POST', path: PATH, headers, body: text });
  };
  await ask({});
  for (const type of ['text/plain', 'application/json; charset=utf-8', 'APPLICATION/JSON', '']) {
    await ask({ 'Content-Type': type });
  }
  const json = { 'Content-Type': JSON_TYPE };
  for (const accept of ['*/*', 'text/html', 'application/*', `text/html, ${PROTOBUF_TYPE}`]) {
    await ask({ ...json, Accept: accept });
  }
  for (const accept of [`${JSON_TYPE};q=0`, 'application/recordio', '']) {
    await ask({ ...json, Accept: accept });
  }
  for (const text of ['', '{', '[]', 'null', '"x"', '{"type":1}', '{"type":"GET_HEALTH",}']) {
    await ask(json, text);
  }
  await ask(json, '{"type":"GET_HEALTH","no_such_field":1}');
  await ask({ 'Content-Type': PROTOBUF_TYPE }, '\xff\xff');
  await ask({ 'Content-Type': PROTOBUF_TYPE }, '');
  const recordio = { 'Content-Type': 'application/recordio' };
  await ask(recordio);
  await ask({ ...recordio, 'Message-Content-Type': 'text/plain' });
  for (const text of ['', 'x\n', '2\n{}', '21\n{"type":"GET_HEALTH"}', '5\n{}']) {
    await ask({ ...recordio, 'Message-Content-Type': JSON_TYPE }, text);
  }
  const stream = { Accept: 'application/recordio', ...json };
  await ask({ ...stream, 'Message-Accept': JSON_TYPE });
  await ask({ ...stream, 'Message-Accept': 'text/plain' });
  await ask(
    { ...stream, 'Message-Accept': 'text/plain' },
    '{"type":"ATTACH_CONTAINER_OUTPUT","attach_container_output":{"container_id":{"value":"x"}}}',
  );
}

export const agentCalls: Scene = {
  name: 'agent-calls',
  async play(world) {
    for (const call of calls) {
      const step = JSON.stringify(call).replace(/x{20,}/, 'xxx...');
      if (unanswered.has(step)) continue;
      const json = { 'Content-Type': JSON_TYPE, Accept: JSON_TYPE };
      const request = { method: 'POST', path: PATH };
      await world.http(step, { ...request, headers: json, body: JSON.stringify(call) });
      const body = bytesOf(call);
      if (body === undefined) continue;
      const protobuf = { 'Content-Type': PROTOBUF_TYPE, Accept: PROTOBUF_TYPE };
      const asked = { ...request, headers: protobuf, body };
      await world.http(`${step} (protobuf)`, asked, 'AgentResponse');
    }
    await negotiation(world);
  },
};
