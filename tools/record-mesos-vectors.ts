// Records exchanges with a real Mesos 1.11 master and agent as test/vectors/mesos/*.json, for
// test/vectors/mesos/vectors.test.ts. `node tools/record-mesos-vectors.ts FOLDER_OF_REAL_MESOS`.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RecordDecoder } from '#codec/recordio.ts';
import { LibprocessEndpoint } from '#mesos/libprocess/endpoint.ts';
import { decode, encode, parseJson, stringify, type MessageName } from '#wire/mesos/codec.ts';
import type { Messages, Offer, SchedulerCall, SchedulerEvent, TaskInfo } from '#wire/mesos/v1.ts';

type ContentType = 'application/json' | 'application/x-protobuf';

interface Vector {
  readonly message: string;
  readonly from: string;
  readonly type: ContentType;
  /** The body: text of JSON, base64 of protobuf. */
  readonly body: string;
}

const folder = process.argv[2] ?? '/tmp/real-mesos';
const work = mkdtempSync(join(tmpdir(), 'strata-vectors-'));
const children: ChildProcess[] = [];
const NORMAL_ID = '00000000-1111-4222-8333-444444444444';
/** Mesos takes only what is a UUID of version 4. */
const uuid = Uint8Array.from(Buffer.from(NORMAL_ID.replaceAll('-', ''), 'hex'));

function startMesos(vars: Readonly<Record<string, string>>): ChildProcess {
  const child = spawn(join(folder, 'real-mesos-master'), [], {
    stdio: 'ignore',
    env: {
      ...process.env,
      LIBPROCESS_IP: '127.0.0.1',
      MESOS_HOSTNAME: 'localhost',
      MESOS_REGISTRY: 'in_memory',
      MESOS_ALLOCATION_INTERVAL: '100ms',
      MESOS_LAUNCHER: 'posix',
      MESOS_ISOLATION: 'posix/cpu,posix/mem',
      MESOS_SYSTEMD_ENABLE_SUPPORT: 'false',
      MESOS_LAUNCHER_DIR: join(folder, 'launcher'),
      MESOS_RESOURCES: 'cpus:4;mem:4096;disk:1000;ports:[31000-31100]',
      MESOS_ATTRIBUTES: 'rack:a;speed:1.5',
      ...vars,
    },
  });
  children.push(child);
  return child;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

async function until<T>(what: string, look: () => Promise<T | undefined> | T | undefined) {
  for (let turn = 0; turn < 600; turn++) {
    try {
      const found = await look();
      if (found !== undefined) return found;
    } catch {
      // Not up yet.
    }
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error(`Never came true: ${what}`);
}

/** The ids of a run look alike in every recording; their length stays, so bytes stay valid. */
function normalised(vectors: readonly Vector[]): Vector[] {
  const ids = new Set<string>();
  const text = (vector: Vector): string =>
    vector.type === 'application/json'
      ? vector.body
      : Buffer.from(vector.body, 'base64').toString('latin1');
  for (const vector of vectors) {
    for (const [id] of text(vector).matchAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g)) {
      ids.add(id);
    }
  }
  const names = [...ids].map((id, i) => [id, `${NORMAL_ID.slice(0, -2)}${10 + i}`] as const);
  return vectors.map((vector) => {
    let body = text(vector);
    for (const [id, name] of names) body = body.replaceAll(id, name);
    return vector.type === 'application/json'
      ? { ...vector, body }
      : { ...vector, body: Buffer.from(body, 'latin1').toString('base64') };
  });
}

function save(name: string, vectors: readonly Vector[]): void {
  const path = join(import.meta.dirname, '../test/vectors/mesos', `${name}.json`);
  writeFileSync(path, `${JSON.stringify(normalised(vectors), undefined, 1)}\n`);
  process.stdout.write(`${name}: ${vectors.length} messages\n`);
}

class Recorder {
  readonly vectors: Vector[] = [];
  readonly #type: ContentType;
  readonly #url: string;

  constructor(url: string, type: ContentType) {
    this.#url = url;
    this.#type = type;
  }

  #keep(message: string, from: string, body: Buffer): void {
    const isJson = this.#type === 'application/json';
    const text = isJson ? body.toString() : body.toString('base64');
    this.vectors.push({ message, from, type: this.#type, body: text });
  }

  read<N extends MessageName>(name: N, from: string, body: Buffer): Messages[N] {
    this.#keep(name, from, body);
    return this.#type === 'application/json'
      ? parseJson(name, body.toString())
      : decode(name, body);
  }

  /** Sends a call; whole answers are given back, records handed over as they come. */
  call<N extends MessageName>(
    path: string,
    name: N,
    call: Messages[N],
    options: { headers?: Record<string, string>; onRecord?: (record: Buffer) => void } = {},
  ): Promise<{ status: number; body: Buffer; streamId: string; close: () => void }> {
    const isJson = this.#type === 'application/json';
    const body = Buffer.from(isJson ? stringify(name, call) : encode(name, call));
    this.#keep(name, 'client', body);
    return new Promise((done, fail) => {
      const headers = { 'Content-Type': this.#type, Accept: this.#type, ...options.headers };
      const request = httpRequest(
        `${this.#url}${path}`,
        { method: 'POST', headers },
        (response) => {
          const status = response.statusCode ?? 0;
          const streamId = String(response.headers['mesos-stream-id'] ?? '');
          const chunks: Buffer[] = [];
          const close = (): void => void response.destroy();
          const decoder = new RecordDecoder();
          response.on('error', () => {});
          response.on('data', (chunk: Buffer) => {
            if (options.onRecord === undefined) chunks.push(chunk);
            else for (const one of decoder.push(chunk)) options.onRecord(Buffer.from(one));
          });
          if (options.onRecord !== undefined)
            done({ status, body: Buffer.alloc(0), streamId, close });
          response.on('end', () => done({ status, body: Buffer.concat(chunks), streamId, close }));
        },
      );
      request.on('error', fail);
      request.end(body);
    });
  }
}

function aTask(id: string, offer: Offer, command: string): TaskInfo {
  const allocation_info = { role: 'r' };
  return {
    name: id,
    task_id: { value: id },
    agent_id: offer.agent_id,
    resources: [
      { name: 'cpus', type: 'SCALAR', scalar: { value: 0.5 }, allocation_info },
      { name: 'mem', type: 'SCALAR', scalar: { value: 32 }, allocation_info },
    ],
    command: { value: command },
    labels: { labels: [{ key: 'k', value: 'v' }] },
    data: new Uint8Array([0, 1, 254, 255]),
  };
}

/** A framework that declines once, then runs a task to its end, one that is invalid, and asks. */
async function recordScheduler(url: string, type: ContentType): Promise<Vector[]> {
  const recorder = new Recorder(url, type);
  const events: SchedulerEvent[] = [];
  const stream = await recorder.call(
    '/api/v1/scheduler',
    'SchedulerCall',
    {
      type: 'SUBSCRIBE',
      subscribe: {
        framework_info: {
          user: 'root',
          name: 'recorded',
          roles: ['r'],
          failover_timeout: 60,
          capabilities: [{ type: 'MULTI_ROLE' }, { type: 'PARTITION_AWARE' }],
        },
      },
    },
    { onRecord: (record) => events.push(recorder.read('SchedulerEvent', 'master', record)) },
  );
  const subscribed = await until('subscribed', () =>
    events.find(({ type }) => type === 'SUBSCRIBED'),
  );
  const framework_id = subscribed.subscribed?.framework_id;
  const call = async (what: SchedulerCall): Promise<void> => {
    const headers = { 'Mesos-Stream-Id': stream.streamId };
    const sent = { ...what, framework_id };
    const answer = await recorder.call('/api/v1/scheduler', 'SchedulerCall', sent, { headers });
    if (answer.status !== 202) throw new Error(`${answer.status} ${answer.body.toString()}`);
  };
  const offersSeen = () => events.flatMap((event) => event.offers?.offers ?? []);
  const first = await until('an offer', () => offersSeen()[0]);
  const filters = { refuse_seconds: 0 };
  await call({ type: 'DECLINE', decline: { offer_ids: [first.id], filters } });
  const offer = await until('another offer', () => offersSeen()[1]);
  const task_infos = [
    aTask('good', offer, 'echo hello'),
    { ...aTask('bad', offer, 'true'), resources: [] },
  ];
  const operations = [{ type: 'LAUNCH' as const, launch: { task_infos } }];
  await call({ type: 'ACCEPT', accept: { offer_ids: [offer.id], operations, filters } });
  const acknowledged = new Set<string>();
  await until('finished', async () => {
    for (const { update } of events) {
      const { uuid, agent_id, task_id, state } = update?.status ?? {};
      if (uuid === undefined || agent_id === undefined || task_id === undefined) continue;
      const hex = Buffer.from(uuid).toString('hex');
      if (!acknowledged.has(hex)) {
        acknowledged.add(hex);
        await call({ type: 'ACKNOWLEDGE', acknowledge: { agent_id, task_id, uuid } });
      }
      if (state === 'TASK_FINISHED') return true;
    }
    return undefined;
  });
  await call({ type: 'SUPPRESS', suppress: { roles: ['r'] } });
  await call({ type: 'REVIVE', revive: {} });
  const tasks = [{ task_id: { value: 'nobody' } }];
  await call({ type: 'RECONCILE', reconcile: { tasks } });
  await until('reconciled', () =>
    events.find(({ update }) => update?.status.task_id.value === 'nobody'),
  );
  await call({ type: 'TEARDOWN' });
  stream.close();
  return recorder.vectors;
}

/** What operators ask of a master, and the first events it tells them. */
async function recordOperator(url: string, type: ContentType): Promise<Vector[]> {
  const recorder = new Recorder(url, type);
  const names = ['GET_HEALTH', 'GET_VERSION', 'GET_AGENTS', 'GET_FRAMEWORKS', 'GET_TASKS'] as const;
  for (const name of [...names, 'GET_ROLES', 'GET_STATE', 'GET_MASTER'] as const) {
    const answer = await recorder.call('/api/v1', 'MasterCall', { type: name });
    recorder.read('MasterResponse', 'master', answer.body);
  }
  let isSubscribed = false;
  const stream = await recorder.call(
    '/api/v1',
    'MasterCall',
    { type: 'SUBSCRIBE' },
    {
      onRecord: (record) => {
        recorder.read('MasterEvent', 'master', record);
        isSubscribed = true;
      },
    },
  );
  await until('subscribed', () => isSubscribed || undefined);
  stream.close();
  return recorder.vectors;
}

/** Both sides of libprocess: we as the master of a real agent. */
async function recordAgent(): Promise<Vector[]> {
  const vectors: Vector[] = [];
  const server = createServer({ requireHostHeader: false, keepAliveTimeout: 0 });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const keep = (name: MessageName, from: string, body: Uint8Array): void => {
    vectors.push({
      message: name,
      from,
      type: 'application/x-protobuf',
      body: Buffer.from(body).toString('base64'),
    });
  };
  let agent = '';
  const seen: string[] = [];
  const master = new LibprocessEndpoint({
    id: 'master',
    address,
    bodyBytesMax: 1e8,
    onExited: () => {},
    onMessage: (from, fullName, body) => {
      const name = fullName.replace('mesos.internal.', '') as MessageName;
      keep(name, 'agent', body);
      if (name === 'RegisterSlaveMessage') agent = from;
      if (name === 'StatusUpdateMessage') {
        const { update } = decode('StatusUpdateMessage', body);
        const { framework_id, status, uuid } = update;
        const agent_id = { value: 'S0' };
        const acknowledgement = { agent_id, framework_id, task_id: status.task_id, uuid };
        send('StatusUpdateAcknowledgementMessage', acknowledgement as never);
        seen.push(status.state);
      } else seen.push(name);
    },
  });
  const send = <N extends MessageName>(name: N, body: Messages[N]): void => {
    master.send(agent, `mesos.internal.${name}`, encode(name, body));
  };
  server.on('request', (request, response) => {
    if (!master.handle(request, response)) response.writeHead(404).end();
  });
  startMesos({
    AGENT_MASTER: address,
    NUM_SLAVES: '1',
    LIBPROCESS_PORT: String(await freePort()),
    WORK_DIR: join(work, 'agent'),
  });
  await until('the agent registers', () => (agent === '' ? undefined : true));
  send('SlaveRegisteredMessage', {
    agent_id: { value: 'S0' },
    connection: { total_ping_timeout_seconds: 75 },
  });
  await until('the agent tells more', () => seen.find((one) => one === 'UpdateSlaveMessage'));
  send('PingSlaveMessage', { connected: true });
  const framework = { id: { value: 'F0' }, user: 'root', name: 'f', checkpoint: true };
  const offer = { agent_id: { value: 'S0' } } as Offer;
  send('RunTaskMessage', { framework, task: aTask('t', offer, 'echo hi'), pid: '' });
  await until('the task ends', () => seen.find((one) => one === 'TASK_FINISHED'));
  await until('a pong', () => seen.find((one) => one === 'PongSlaveMessage'));
  // A master that says we are not connected is told everything again.
  send('PingSlaveMessage', { connected: false });
  await until('registered again', () => seen.find((one) => one === 'ReregisterSlaveMessage'));
  master.close();
  server.closeAllConnections();
  server.close();
  return vectors;
}

/** We as an agent of the real master: what it sends while a framework runs a task on us. */
async function recordMaster(masterPort: number): Promise<Vector[]> {
  const vectors: Vector[] = [];
  const server = createServer({ requireHostHeader: false, keepAliveTimeout: 0 });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  const masterUpid = `master@127.0.0.1:${masterPort}`;
  let agentId = '';
  const seen: string[] = [];
  const endpoint = new LibprocessEndpoint({
    id: 'slave(1)',
    address: `127.0.0.1:${port}`,
    bodyBytesMax: 1e8,
    onExited: () => {},
    onMessage: (from, fullName, body) => {
      const name = fullName.replace('mesos.internal.', '') as MessageName;
      if (name !== 'PingSlaveMessage' || !seen.includes(name)) {
        const type = 'application/x-protobuf';
        vectors.push({
          message: name,
          from: 'master',
          type,
          body: Buffer.from(body).toString('base64'),
        });
      }
      seen.push(name);
      if (name === 'PingSlaveMessage') {
        endpoint.send(from, 'mesos.internal.PongSlaveMessage', new Uint8Array());
      }
      if (name === 'SlaveRegisteredMessage') {
        agentId = decode('SlaveRegisteredMessage', body).agent_id.value;
      }
      if (name === 'RunTaskMessage') onRunTask(decode('RunTaskMessage', body));
    },
  });
  const send = <N extends MessageName>(name: N, body: Messages[N]): void =>
    endpoint.send(masterUpid, `mesos.internal.${name}`, encode(name, body));
  const onRunTask = ({ task, framework }: Messages['RunTaskMessage']): void => {
    const agent_id = { value: agentId };
    const status = { task_id: task.task_id, state: 'TASK_RUNNING' as const, agent_id, uuid };
    const framework_id = framework.id ?? { value: '' };
    const update = { framework_id, agent_id, status, timestamp: 1, uuid };
    const latest_state = 'TASK_RUNNING' as const;
    send('StatusUpdateMessage', { update: { ...update, latest_state }, pid: endpoint.upid });
  };
  server.on('request', (request, response) => {
    if (!endpoint.handle(request, response)) response.writeHead(404).end();
  });
  const scalar = (name: string, value: number) => ({
    name,
    type: 'SCALAR' as const,
    scalar: { value },
  });
  const slave = { hostname: 'recorded', port, resources: [scalar('cpus', 2), scalar('mem', 900)] };
  const capabilities = ['MULTI_ROLE', 'HIERARCHICAL_ROLE', 'RESERVATION_REFINEMENT'] as const;
  const agent_capabilities = capabilities.map((type) => ({ type }));
  await until('registered', async () => {
    send('RegisterSlaveMessage', { slave, version: '1.11.0', agent_capabilities });
    await new Promise((done) => setTimeout(done, 500));
    return agentId === '' ? undefined : true;
  });
  const recorder = new Recorder(`http://127.0.0.1:${masterPort}`, 'application/x-protobuf');
  const events: SchedulerEvent[] = [];
  const framework_info = {
    user: 'root',
    name: 'f',
    roles: ['r'],
    capabilities: [{ type: 'MULTI_ROLE' as const }],
  };
  const stream = await recorder.call(
    '/api/v1/scheduler',
    'SchedulerCall',
    { type: 'SUBSCRIBE', subscribe: { framework_info } },
    { onRecord: (record) => events.push(recorder.read('SchedulerEvent', 'master', record)) },
  );
  const headers = { 'Mesos-Stream-Id': stream.streamId };
  const framework_id = await until('subscribed', () => events[0]?.subscribed?.framework_id);
  const call = async (what: SchedulerCall): Promise<void> => {
    const sent = { ...what, framework_id };
    await recorder.call('/api/v1/scheduler', 'SchedulerCall', sent, { headers });
  };
  const offer = await until('our offer', () =>
    events.flatMap((one) => one.offers?.offers ?? []).find((one) => one.agent_id.value === agentId),
  );
  const task_infos = [aTask('t', offer, 'sleep 9')];
  const operations = [{ type: 'LAUNCH' as const, launch: { task_infos } }];
  await call({ type: 'ACCEPT', accept: { offer_ids: [offer.id], operations } });
  const status = await until('an update', () => events.find((one) => one.update)?.update?.status);
  const { task_id, agent_id = { value: '' } } = status;
  await call({ type: 'ACKNOWLEDGE', acknowledge: { agent_id, task_id, uuid } });
  await call({ type: 'MESSAGE', message: { agent_id, executor_id: { value: 'e' }, data: uuid } });
  const kill_policy = { grace_period: { nanoseconds: 1e9 } };
  await call({ type: 'KILL', kill: { task_id, agent_id, kill_policy } });
  await until('the kill', () => seen.find((one) => one === 'KillTaskMessage'));
  await call({ type: 'TEARDOWN' });
  await until('the end', () => seen.find((one) => one === 'ShutdownFrameworkMessage'));
  stream.close();
  endpoint.close();
  server.closeAllConnections();
  server.close();
  return vectors;
}

try {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  startMesos({ LIBPROCESS_PORT: String(port), NUM_SLAVES: '1', WORK_DIR: join(work, 'master') });
  await until('an agent', async () => {
    const { slaves } = (await (await fetch(`${url}/slaves`)).json()) as { slaves: unknown[] };
    return slaves.length > 0 ? true : undefined;
  });
  save('scheduler-json', await recordScheduler(url, 'application/json'));
  save('scheduler-protobuf', await recordScheduler(url, 'application/x-protobuf'));
  save('operator-json', await recordOperator(url, 'application/json'));
  save('operator-protobuf', await recordOperator(url, 'application/x-protobuf'));
  save('libprocess-master', await recordMaster(port));
  save('libprocess-agent', await recordAgent());
} finally {
  for (const child of children) child.kill('SIGKILL');
  rmSync(work, { recursive: true, force: true });
}
