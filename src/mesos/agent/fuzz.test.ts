// Garbage at an agent's ports: valid messages and calls with parts taken away, replaced or cut, and bytes
// that are nothing. Whatever comes, it answers in the protocol's own form and goes on.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { SimClock } from '#env/sim/clock.ts';
import { encodeRecord } from '#codec/recordio.ts';
import { systemDisk } from '#env/node/disk.ts';
import { SimMachine } from '#env/sim/process.ts';
import { SimRandom } from '#env/sim/random.ts';
import { silentLog } from '#env/node/log.ts';
import { encode, type MessageName, stringify } from '#wire/mesos/codec.ts';
import { type RunningAgent, startAgent } from './service.ts';

const folder = mkdtempSync(join(tmpdir(), 'strata-agent-'));
const SEED = 20_261;
const uuid = { value: new Uint8Array(16).fill(7) };
let agent: RunningAgent;
/** Takes what the agent says, and says nothing. */
const silentMaster = createServer((socket) => socket.on('error', () => {}).resume());

before(async () => {
  await new Promise<void>((done) => silentMaster.listen(0, '127.0.0.1', done));
  const clock = new SimClock();
  const env = { clock, timers: clock, random: new SimRandom(1), log: silentLog };
  agent = await startAgent(
    {
      masterAddress: `127.0.0.1:${(silentMaster.address() as AddressInfo).port}`,
      workFolder: folder,
      host: '127.0.0.1',
      port: 0,
      hostname: 'h',
      resources: [{ name: 'cpus', type: 'SCALAR', scalar: { value: 4 } }],
      attributes: [],
      flags: {},
      options: { resource_provider_config_dir: join(folder, 'providers') },
    },
    { env, disk: systemDisk, host: new SimMachine({ clock, timers: clock }).host() },
  );
});

after(async () => {
  await agent.close();
  silentMaster.close();
  rmSync(folder, { recursive: true, force: true });
});

const framework = { user: 'root', name: 'f', id: { value: 'f' }, checkpoint: true };
const cpus = { name: 'cpus', type: 'SCALAR', scalar: { value: 1 } };
const task = {
  name: 't',
  task_id: { value: 't' },
  agent_id: { value: 'a' },
  resources: [cpus],
  command: { value: 'sleep 1' },
  container: { type: 'MESOS', volumes: [{ mode: 'RW', container_path: 'x', host_path: '/tmp' }] },
  health_check: { type: 'COMMAND', command: { value: 'true' } },
};
const executor = { executor_id: { value: 'e' }, type: 'DEFAULT', resources: [cpus] };
const operation = { type: 'RESERVE', reserve: { resources: [cpus] } };
const resource_version_uuid = { uuid };
const ids = { framework_id: { value: 'f' }, executor_id: { value: 'e' } };

const status = { task_id: { value: 't' }, state: 'TASK_RUNNING' };
const update = { ...ids, status, timestamp: 1, uuid: uuid.value };

/** What masters and drivers of executors send, but for what ends or moves an agent by right. */
const MESSAGES: Readonly<Record<string, object>> = {
  RunTaskMessage: { framework, task, pid: 's@127.0.0.1:1' },
  RunTaskGroupMessage: { framework, executor, task_group: { tasks: [task] } },
  KillTaskMessage: { framework_id: { value: 'f' }, task_id: { value: 't' } },
  StatusUpdateAcknowledgementMessage: {
    agent_id: { value: 'a' },
    framework_id: { value: 'f' },
    task_id: { value: 't' },
    uuid: uuid.value,
  },
  FrameworkToExecutorMessage: { ...ids, agent_id: { value: 'a' }, data: new Uint8Array(3) },
  ShutdownFrameworkMessage: { framework_id: { value: 'f' } },
  ShutdownExecutorMessage: ids,
  UpdateFrameworkMessage: { framework_id: { value: 'f' }, framework_info: framework },
  DrainSlaveMessage: { config: { mark_gone: false, max_grace_period: { nanoseconds: 1e9 } } },
  ApplyOperationMessage: {
    operation_info: operation,
    operation_uuid: uuid,
    resource_version_uuid,
  },
  AcknowledgeOperationStatusMessage: { status_uuid: uuid, operation_uuid: uuid },
  ReconcileOperationsMessage: { operations: [{ operation_uuid: uuid }] },
  CheckpointResourcesMessage: { resources: [cpus] },
  PingSlaveMessage: { connected: true },
  RegisterExecutorMessage: ids,
  ReregisterExecutorMessage: { ...ids, tasks: [task], updates: [update] },
  StatusUpdateMessage: { update, pid: 'executor(1)@127.0.0.1:1' },
  ExecutorToFrameworkMessage: { ...ids, agent_id: { value: 'a' }, data: new Uint8Array(3) },
};

const container_id = { value: 'c', parent: { value: 'p' } };
const info = { type: 'org.x.y', name: 'disk' };
const container = { container_id, command: task.command, container: task.container };
const sized = { tty_info: { window_size: { rows: 1, columns: 2 } } };

/** Those of one API, by the message that its calls are. */
interface Api {
  readonly path: string;
  readonly message: 'AgentCall' | 'ExecutorCall' | 'ResourceProviderCall';
  readonly calls: readonly object[];
}

const APIS: readonly Api[] = [
  {
    path: '/api/v1',
    message: 'AgentCall',
    calls: [
      { type: 'GET_CONTAINERS', get_containers: { show_nested: true } },
      { type: 'GET_METRICS', get_metrics: { timeout: { nanoseconds: 1 } } },
      { type: 'READ_FILE', read_file: { path: '/x', offset: 1, length: 2 } },
      { type: 'LIST_FILES', list_files: { path: '/' } },
      { type: 'LAUNCH_CONTAINER', launch_container: { ...container, resources: [cpus] } },
      { type: 'LAUNCH_NESTED_CONTAINER', launch_nested_container: container },
      { type: 'WAIT_NESTED_CONTAINER', wait_nested_container: { container_id } },
      { type: 'KILL_NESTED_CONTAINER', kill_nested_container: { container_id, signal: 9 } },
      { type: 'REMOVE_NESTED_CONTAINER', remove_nested_container: { container_id } },
      {
        type: 'LAUNCH_NESTED_CONTAINER_SESSION',
        launch_nested_container_session: {
          ...container,
          container: { type: 'MESOS', ...sized },
        },
      },
      {
        type: 'ATTACH_CONTAINER_INPUT',
        attach_container_input: { type: 'CONTAINER_ID', container_id },
      },
      { type: 'ATTACH_CONTAINER_OUTPUT', attach_container_output: { container_id } },
      { type: 'WAIT_CONTAINER', wait_container: { container_id } },
      { type: 'KILL_CONTAINER', kill_container: { container_id, signal: 9 } },
      { type: 'REMOVE_CONTAINER', remove_container: { container_id } },
      { type: 'PRUNE_IMAGES', prune_images: { excluded_images: [] } },
      { type: 'SET_LOGGING_LEVEL', set_logging_level: { level: 1, duration: { nanoseconds: 1 } } },
      { type: 'ADD_RESOURCE_PROVIDER_CONFIG', add_resource_provider_config: { info } },
      { type: 'UPDATE_RESOURCE_PROVIDER_CONFIG', update_resource_provider_config: { info } },
      { type: 'REMOVE_RESOURCE_PROVIDER_CONFIG', remove_resource_provider_config: info },
      {
        type: 'MARK_RESOURCE_PROVIDER_GONE',
        mark_resource_provider_gone: { resource_provider_id: { value: 'p' } },
      },
    ],
  },
  {
    path: '/api/v1/executor',
    message: 'ExecutorCall',
    calls: [
      {
        type: 'SUBSCRIBE',
        ...ids,
        subscribe: { unacknowledged_tasks: [task], unacknowledged_updates: [{ status }] },
      },
      { type: 'UPDATE', ...ids, update: { status } },
      { type: 'MESSAGE', ...ids, message: { data: new Uint8Array(3) } },
    ],
  },
  {
    path: '/api/v1/resource_provider',
    message: 'ResourceProviderCall',
    calls: [
      { type: 'SUBSCRIBE', subscribe: { resource_provider_info: info } },
      {
        type: 'UPDATE_STATE',
        resource_provider_id: { value: 'p' },
        update_state: {
          operations: [{ info: operation, latest_status: { state: 'OPERATION_FINISHED' }, uuid }],
          resources: [cpus],
          resource_version_uuid: uuid,
        },
      },
      {
        type: 'UPDATE_OPERATION_STATUS',
        resource_provider_id: { value: 'p' },
        update_operation_status: {
          framework_id: { value: 'f' },
          status: { state: 'OPERATION_FAILED', operation_id: { value: 'o' }, uuid },
          operation_uuid: uuid,
        },
      },
      {
        type: 'UPDATE_PUBLISH_RESOURCES_STATUS',
        resource_provider_id: { value: 'p' },
        update_publish_resources_status: { uuid, status: 'OK' },
      },
    ],
  },
];

let providerStream = { id: '', stream: '' };
const JSON_MEDIA = 'application/json';
const PROTOBUF_MEDIA = 'application/x-protobuf';
const RECORDIO_MEDIA = 'application/recordio';

/** As whoever sends it would write it; undefined where it cannot be written. */
function written(message: Api['message'], call: unknown, media: string): Buffer | undefined {
  try {
    if (media === PROTOBUF_MEDIA) return Buffer.from(encode(message, call as never));
    const json = Buffer.from(stringify(message, call as never));
    return media === RECORDIO_MEDIA ? Buffer.from(encodeRecord(json)) : json;
  } catch {
    // No such message: as JSON it can be written all the same.
    return media === PROTOBUF_MEDIA ? undefined : Buffer.from(JSON.stringify(call) ?? '');
  }
}

const odd = fc.oneof(
  fc.constantFrom<unknown>(null, '', '..', '/', '\0', -1, 1e308, [], {}, 'TASK_RUNNING', true),
  fc.string({ maxLength: 20 }),
  fc.integer(),
);

/** Changes one part of a value, however deep. */
function mutated(value: unknown, path: readonly number[], replacement: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined || typeof value !== 'object' || value === null) return replacement;
  if (value instanceof Uint8Array) return replacement;
  const names = Object.keys(value);
  const name = names[step % Math.max(1, names.length)];
  if (name === undefined) return replacement;
  const copy = (Array.isArray(value) ? [...value] : { ...value }) as Record<string, unknown>;
  if (rest.length === 0 && replacement === undefined) delete copy[name];
  else copy[name] = mutated(copy[name], rest, replacement);
  return copy;
}

const mutation = fc.record({
  path: fc.array(fc.nat({ max: 9 }), { maxLength: 6 }),
  replacement: fc.option(odd, { nil: undefined }),
});

/** Flips, cuts and lengthens bytes. */
function damaged(bytes: Buffer, { at, by, cut }: { at: number; by: number; cut: number }): Buffer {
  const made = Buffer.from(bytes);
  if (made.length > 0) made[at % made.length] = (made[at % made.length] ?? 0) ^ by;
  return cut === 0 ? made : made.subarray(0, made.length - (cut % (made.length + 1)));
}
const damage = fc.record({
  at: fc.nat(),
  by: fc.integer({ min: 0, max: 255 }),
  cut: fc.constantFrom(0, 0, 1, 7),
});

const posting = (path: string, body: Buffer, headers: Record<string, string>): Promise<Response> =>
  fetch(agent.url + path, {
    method: 'POST',
    headers,
    body: new Uint8Array(body),
    signal: AbortSignal.timeout(10_000),
  });

/** It lives, has not stopped by itself, and performs what it decides. */
async function isWell(): Promise<void> {
  const state = await fetch(`${agent.url}/state`);
  assert.equal(state.status, 200);
  await state.body?.cancel();
  const stopped = await Promise.race([agent.ended, agent.shell.settled().then(() => 'settled')]);
  assert.equal(stopped, 'settled');
}

/** Of the master's, as it would send it. */
const send = (name: string, bytes: Uint8Array, sender = 'master@127.0.0.1:1'): Promise<Response> =>
  posting(`/slave(1)/mesos.internal.${name}`, Buffer.from(bytes), { 'libprocess-from': sender });

test('an agent is registered, and an executor and a resource provider are subscribed', async () => {
  await send(
    'SlaveRegisteredMessage',
    encode('SlaveRegisteredMessage', { agent_id: { value: 'a' } }),
  );
  await agent.shell.settled();
  assert.equal(agent.shell.core.master.kind, 'registered');
  const own = { ...executor, type: 'CUSTOM', command: task.command, framework_id: { value: 'f' } };
  const { command: _its, container: _own, health_check: _none, ...rest } = task;
  const run = { framework, task: { ...rest, executor: own }, pid: 's@127.0.0.1:1' };
  await send('RunTaskMessage', encode('RunTaskMessage', run as never));
  const json = { 'content-type': JSON_MEDIA, accept: JSON_MEDIA };
  const subscribed = async (path: string, call: object): Promise<Response> => {
    const body = Buffer.from(JSON.stringify(call));
    // Its stream stays open.
    const answer = await fetch(agent.url + path, { method: 'POST', headers: json, body });
    assert.equal(answer.status, 200);
    return answer;
  };
  await agent.shell.settled();
  await subscribed('/api/v1/executor', { type: 'SUBSCRIBE', ...ids, subscribe: {} });
  const subscribe = { type: 'SUBSCRIBE', subscribe: { resource_provider_info: info } };
  const provider = await subscribed('/api/v1/resource_provider', subscribe);
  await agent.shell.settled();
  const [id = ''] = agent.shell.core.providers.subscribed.keys();
  providerStream = { id, stream: provider.headers.get('mesos-stream-id') ?? '' };
  assert.ok(id !== '' && providerStream.stream !== '');
});

/** Of a real agent, where it answers with 500 as it should. */
const OWN_WORDS: ReadonlySet<string> = new Set([
  'Unknown root container',
  'Nested container has not terminated yet',
  'I/O switchboard server was disabled for this container',
]);

/** As the one that is subscribed says it. */
function ofProvider(call: object): object {
  if (!('resource_provider_id' in call)) return call;
  return { ...call, resource_provider_id: { value: providerStream.id } };
}

for (const { path, message, calls } of APIS) {
  test(`an agent takes no harm from calls to ${path} that are damaged`, async () => {
    const media = fc.constantFrom(JSON_MEDIA, JSON_MEDIA, PROTOBUF_MEDIA, RECORDIO_MEDIA);
    const arbitrary = fc.tuple(fc.constantFrom(...calls), fc.option(mutation), damage, media);
    let understood = 0;
    await fc.assert(
      fc.asyncProperty(arbitrary, async ([given, change, harm, type]) => {
        const call = ofProvider(given);
        const changed = written(
          message,
          change === null ? call : mutated(call, change.path, change.replacement),
          type,
        );
        const text = changed ?? written(message, call, type) ?? Buffer.alloc(0);
        const body = changed !== undefined && harm.by < 192 ? text : damaged(text, harm);
        const stream: Record<string, string> =
          call === given ? {} : { 'mesos-stream-id': providerStream.stream };
        const inner: Record<string, string> =
          type === RECORDIO_MEDIA ? { 'message-content-type': JSON_MEDIA } : {};
        const headers = { 'content-type': type, ...inner, ...stream };
        const answer = await posting(path, body, headers);
        const code = answer.status;
        const words = code === 500 ? await answer.text() : '';
        if (code !== 500) await answer.body?.cancel();
        if (code !== 400 && code !== 415) understood += 1;
        const what = `${code} to ${type} ${body.toString()}`;
        assert.ok(code < 500 || code === 501 || OWN_WORDS.has(words), `${what}: ${words}`);
      }),
      { numRuns: 200, seed: SEED },
    );
    assert.ok(understood > 10, `${understood} were understood`);
    await isWell();
  });
}

test("an agent takes no harm from a master's messages that are damaged", async () => {
  const from = fc.constantFrom(
    'master@127.0.0.1:1',
    'slave-observer(1)@127.0.0.1:1',
    'x',
    '@:',
    '',
  );
  const arbitrary = fc.tuple(fc.constantFrom(...Object.entries(MESSAGES)), mutation, damage, from);
  let understood = 0;
  await fc.assert(
    fc.asyncProperty(arbitrary, async ([[name, message], { path, replacement }, harm, sender]) => {
      let bytes: Uint8Array;
      try {
        bytes = encode(name as MessageName, mutated(message, path, replacement) as never);
        understood += 1;
      } catch {
        // It cannot be written like that: then the valid one, damaged as bytes.
        bytes = damaged(Buffer.from(encode(name as MessageName, message as never)), harm);
      }
      const { status, body } = await send(name, bytes, sender);
      await body?.cancel();
      assert.ok(status < 500, `${status} to ${name}`);
    }),
    { numRuns: 600, seed: SEED },
  );
  assert.ok(understood > 100, 'many were messages');
  await isWell();
});

test('an agent takes no harm from bytes that are no HTTP', async () => {
  const { port } = new URL(agent.url);
  const line = fc.constantFrom(
    '',
    'GET / HTTP/1.1\r\n',
    'POST /api/v1 HTTP/1.1\r\nContent-Length: 9',
  );
  await fc.assert(
    fc.asyncProperty(line, fc.uint8Array({ maxLength: 200 }), async (start, bytes) => {
      await new Promise<void>((done) => {
        const socket = connect({ host: '127.0.0.1', port: Number(port) });
        socket.on('error', () => {});
        socket.once('close', () => done());
        socket.resume();
        socket.write(start);
        socket.end(bytes);
      });
    }),
    { numRuns: 60, seed: SEED },
  );
  await isWell();
});
