// Many agents in one process that run nothing: each task is told to run, then to have finished. They come, leave,
// are cut off and come back, as a script says.
import { createServer, type Server } from 'node:http';
import { LibprocessEndpoint } from '#mesos/libprocess/endpoint.ts';
import { AGENT_CAPABILITIES } from '#mesos/resources/agent-capabilities.ts';
import { decode, encode, type MessageName } from '#wire/mesos/codec.ts';
import type { Messages, TaskState } from '#wire/mesos/v1.ts';
import { freePort } from '#test/support/free-port.ts';

const PREFIX = 'mesos.internal.';
const BODY_BYTES_MAX = 1e8;

/** A random UUID's bytes. */
function aUuid(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(16));
}

interface Agent {
  readonly number: number;
  readonly endpoint: LibprocessEndpoint;
  id: string | undefined;
  /** Task -> framework, of those that run. */
  readonly tasks: Map<string, string>;
}

/** Agents of one address: a cut takes them all. */
export class AgentGroup {
  readonly #agents = new Map<string, Agent>();
  readonly #master: string;
  readonly #taskMs: () => number;
  #server: Server | undefined;
  #port = 0;
  tasks = 0;

  constructor(masterPort: number, taskMs: () => number) {
    this.#master = `master@127.0.0.1:${masterPort}`;
    this.#taskMs = taskMs;
  }

  get registered(): number {
    return [...this.#agents.values()].filter(({ id }) => id !== undefined).length;
  }

  async start(numbers: readonly number[]): Promise<void> {
    if (this.#port === 0) this.#port = await freePort();
    for (const number of numbers) this.#add(number);
    await this.#listen();
    this.register();
  }

  async #listen(): Promise<void> {
    const server = createServer({ requireHostHeader: false, keepAliveTimeout: 0 });
    server.on('request', (request, response) => {
      const name = decodeURIComponent(request.url?.split('/')[1] ?? '');
      const isTaken = this.#agents.get(name)?.endpoint.handle(request, response) ?? false;
      if (!isTaken) response.writeHead(404).end();
    });
    await new Promise<void>((done) => server.listen(this.#port, '127.0.0.1', done));
    this.#server = server;
  }

  #add(number: number): void {
    const name = `slave(${number})`;
    const endpoint = new LibprocessEndpoint({
      id: name,
      address: `127.0.0.1:${this.#port}`,
      bodyBytesMax: BODY_BYTES_MAX,
      onExited: () => {},
      onMessage: (from, full, body) => this.#onMessage(agent, from, full, body),
    });
    const agent: Agent = { number, endpoint, id: undefined, tasks: new Map() };
    this.#agents.set(name, agent);
  }

  /** Those that are not registered yet ask (again); those that were say who they are. */
  register(): void {
    for (const agent of this.#agents.values()) {
      const { number, id } = agent;
      const slave = {
        hostname: `agent-${number}.example`,
        port: this.#port,
        ...(id === undefined ? {} : { id: { value: id } }),
        resources: [
          { name: 'cpus', type: 'SCALAR' as const, scalar: { value: 8 } },
          { name: 'mem', type: 'SCALAR' as const, scalar: { value: 8_192 } },
        ],
      };
      const hello = {
        slave,
        version: '1.11.0',
        agent_capabilities: AGENT_CAPABILITIES.map((type) => ({ type })),
        resource_version_uuid: { value: aUuid() },
      };
      if (id === undefined) this.#send(agent, 'RegisterSlaveMessage', hello);
      else this.#send(agent, 'ReregisterSlaveMessage', hello);
    }
  }

  /** Cut off with all that runs there; `register` brings them back without it. */
  async cut(): Promise<void> {
    for (const { endpoint, tasks } of this.#agents.values()) {
      endpoint.close();
      tasks.clear();
    }
    await this.#close();
  }

  async back(): Promise<void> {
    const all = [...this.#agents.values()];
    for (const { number, id } of all) {
      this.#add(number);
      const now = this.#agents.get(`slave(${number})`);
      if (now !== undefined) now.id = id;
    }
    await this.#listen();
    this.register();
  }

  /** They say goodbye; the next ones at this address are others. */
  async leave(): Promise<void> {
    for (const agent of this.#agents.values()) {
      if (agent.id === undefined) continue;
      this.#send(agent, 'UnregisterSlaveMessage', { agent_id: { value: agent.id } });
    }
    // What they said is on its way.
    await new Promise((done) => setTimeout(done, 1_000));
    for (const { endpoint } of this.#agents.values()) endpoint.close();
    this.#agents.clear();
    await this.#close();
  }

  async #close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }

  #send<N extends MessageName>(agent: Agent, name: N, body: Messages[N]): void {
    agent.endpoint.send(this.#master, `${PREFIX}${name}`, encode(name, body));
  }

  #onMessage(agent: Agent, from: string, full: string, body: Uint8Array): void {
    switch (full.slice(PREFIX.length)) {
      case 'PingSlaveMessage':
        agent.endpoint.send(from, `${PREFIX}PongSlaveMessage`, new Uint8Array());
        break;
      case 'SlaveRegisteredMessage':
        agent.id = decode('SlaveRegisteredMessage', body).agent_id.value;
        break;
      case 'ShutdownMessage':
        agent.id = undefined;
        agent.tasks.clear();
        break;
      case 'RunTaskMessage':
        this.#run(agent, decode('RunTaskMessage', body));
        break;
      case 'KillTaskMessage': {
        const { framework_id, task_id } = decode('KillTaskMessage', body);
        this.#end(agent, framework_id.value, task_id.value, 'TASK_KILLED');
        break;
      }
      case 'ShutdownFrameworkMessage': {
        const { framework_id } = decode('ShutdownFrameworkMessage', body);
        for (const [task, framework] of agent.tasks) {
          if (framework === framework_id.value) this.#end(agent, framework, task, 'TASK_KILLED');
        }
        break;
      }
      default:
    }
  }

  #run(agent: Agent, { framework: info, task }: Messages['RunTaskMessage']): void {
    const framework = info.id?.value ?? '';
    agent.tasks.set(task.task_id.value, framework);
    this.tasks += 1;
    this.#update(agent, framework, task.task_id.value, 'TASK_RUNNING');
    setTimeout(
      () => this.#end(agent, framework, task.task_id.value, 'TASK_FINISHED'),
      this.#taskMs(),
    );
  }

  #end(agent: Agent, framework: string, task: string, state: TaskState): void {
    if (!agent.tasks.delete(task)) return;
    this.#update(agent, framework, task, state);
  }

  #update(agent: Agent, framework: string, task: string, state: TaskState): void {
    if (agent.id === undefined) return;
    const agent_id = { value: agent.id };
    const uuid = aUuid();
    const timestamp = Date.now() / 1_000;
    const task_id = { value: task };
    const source = 'SOURCE_EXECUTOR' as const;
    const update = {
      framework_id: { value: framework },
      agent_id,
      status: { task_id, state, agent_id, source, timestamp, uuid },
      timestamp,
      latest_state: state,
      uuid,
    };
    this.#send(agent, 'StatusUpdateMessage', { update, pid: agent.endpoint.upid });
  }
}
