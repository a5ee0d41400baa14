// A master core with what it sends kept for tests: no sockets, no clock, writes durable at once.
import { AGENT_CAPABILITIES } from '#mesos/resources/agent-capabilities.ts';
import { parseResources } from '#mesos/resources/parse.ts';
import type {
  FrameworkInfo,
  Resource,
  SchedulerCall,
  SchedulerEvent,
  TaskInfo,
} from '#wire/mesos/v1.ts';
import { MasterCore } from './core.ts';
import type { DriverOrigin } from './frameworks.ts';
import type { Refusal } from '#mesos/libprocess/refusal.ts';
import type {
  FromAgent,
  MasterEffect,
  MasterOptions,
  RecoveredRegistry,
  RegistryChange,
  ToAgent,
} from './types.ts';

export const testOptions: MasterOptions = {
  masterId: 'm',
  pid: 'master@10.0.0.1:5050',
  hostname: 'master',
  ip: '10.0.0.1',
  port: 5050,
  version: '1.11.0',
  agentPingTimeoutMs: 15_000,
  agentPingTimeoutsMax: 5,
  agentReregisterTimeoutMs: 600_000,
  heartbeatMs: 15_000,
  completedFrameworksMax: 2,
  completedTasksMax: 3,
};

const nothing: RecoveredRegistry = { agents: [], unreachable: [], weights: [] };

export function aFramework(more: Partial<FrameworkInfo> = {}): FrameworkInfo {
  return {
    user: 'root',
    name: 'f',
    roles: ['r'],
    capabilities: [{ type: 'MULTI_ROLE' }, { type: 'PARTITION_AWARE' }],
    ...more,
  };
}

export function aTask(id: string, agentId: string, resources = 'cpus:1;mem:100'): TaskInfo {
  return {
    name: id,
    task_id: { value: id },
    agent_id: { value: agentId },
    resources: parseResources(resources),
    command: { value: 'true' },
  };
}

export class TestMaster {
  readonly core: MasterCore;
  readonly events = new Map<number, SchedulerEvent[]>();
  readonly closed = new Set<number>();
  readonly sent: { readonly to: string; readonly message: ToAgent }[] = [];
  readonly registry: RegistryChange[] = [];
  now = 1_000_000;
  /** On which connection of theirs agents send. */
  agentConnection = 1;
  #nextConnection = 1;
  readonly #drivers = new Map<string, number>();

  constructor(recovered: RecoveredRegistry = nothing, options: MasterOptions = testOptions) {
    this.core = new MasterCore(options, recovered, this.now);
  }

  perform(effects: readonly MasterEffect[]): void {
    let isAllocating = false;
    for (const effect of effects) {
      if (effect.kind === 'event') this.events.get(effect.connection)?.push(effect.event);
      else if (effect.kind === 'close') this.closed.add(effect.connection);
      else if (effect.kind === 'send') this.sent.push(effect);
      else if (effect.kind === 'persist') {
        this.registry.push(effect.change);
        this.perform(this.core.confirm(effect.token, this.now));
      } else if (effect.kind === 'allocate-soon') isAllocating = true;
    }
    if (isAllocating) this.perform(this.core.allocate(this.now));
  }

  wait(ms: number): void {
    this.now += ms;
    this.perform(this.core.onTick(this.now));
  }

  fromAgent(pid: string, message: FromAgent): void {
    const { now, agentConnection } = this;
    this.perform(this.core.onAgentMessage(pid, message, now, agentConnection));
  }

  /** Registers an agent; answers with its id. */
  addAgent(
    pid = 'slave(1)@10.0.0.2:5051',
    resources = 'cpus:4;mem:1000',
    checkpointed: readonly Resource[] = [],
  ): string {
    const checkpoint = checkpointed.length > 0;
    const slave = { hostname: 'host', resources: parseResources(resources), checkpoint };
    const body = {
      slave,
      version: '1.11.0',
      agent_capabilities: AGENT_CAPABILITIES.map((type) => ({ type })),
      checkpointed_resources: [...checkpointed],
      resource_version_uuid: { value: new Uint8Array(16).fill(7) },
    };
    this.fromAgent(pid, { name: 'RegisterSlaveMessage', body });
    return [...this.core.state.agents.values()].find((one) => one.pid === pid)?.id ?? '';
  }

  /** `driver`: over libprocess; its pid keeps the connection that it was given first. */
  subscribe(
    info: FrameworkInfo = aFramework(),
    driver?: DriverOrigin,
  ): { connection: number; frameworkId: string } {
    const connection = this.#connectionOf(driver);
    this.events.set(connection, []);
    const call: SchedulerCall = {
      type: 'SUBSCRIBE',
      ...(info.id === undefined ? {} : { framework_id: info.id }),
      subscribe: { framework_info: info },
    };
    this.perform(this.core.subscribe(connection, call, this.now, driver));
    const first = this.eventsOf(connection)[0];
    return { connection, frameworkId: first?.subscribed?.framework_id.value ?? '' };
  }

  #connectionOf(driver: DriverOrigin | undefined): number {
    const known = this.#drivers.get(driver?.pid ?? '');
    if (known !== undefined) return known;
    const connection = this.#nextConnection++;
    if (driver !== undefined) this.#drivers.set(driver.pid, connection);
    return connection;
  }

  disconnect(connection: number): void {
    this.perform(this.core.disconnected(connection, this.now));
  }

  call(frameworkId: string, call: SchedulerCall): Refusal | undefined {
    const outcome = this.core.call(frameworkId, call, this.now);
    if ('status' in outcome) return outcome;
    this.perform(outcome);
    return undefined;
  }

  eventsOf(connection: number): SchedulerEvent[] {
    return this.events.get(connection) ?? [];
  }

  /** The ids of all offers that a stream was sent. */
  offersOf(connection: number) {
    return this.eventsOf(connection).flatMap((event) => event.offers?.offers ?? []);
  }

  statusesOf(connection: number) {
    return this.eventsOf(connection).flatMap((event) => event.update?.status ?? []);
  }

  launch(frameworkId: string, offerId: string, ...tasks: readonly TaskInfo[]): void {
    this.call(frameworkId, {
      type: 'ACCEPT',
      accept: {
        offer_ids: [{ value: offerId }],
        operations: [{ type: 'LAUNCH', launch: { task_infos: [...tasks] } }],
      },
    });
  }

  /** An update of the agent's, as it would come from an executor. */
  update(
    pid: string,
    of: {
      frameworkId: string;
      agentId: string;
      taskId: string;
      state: 'TASK_RUNNING' | 'TASK_FINISHED' | 'TASK_FAILED';
      uuid: number;
    },
  ): void {
    const uuid = new Uint8Array(16).fill(of.uuid);
    const agent_id = { value: of.agentId };
    const status = { task_id: { value: of.taskId }, state: of.state, agent_id, uuid };
    const framework_id = { value: of.frameworkId };
    const update = { framework_id, agent_id, status, timestamp: this.now / 1_000, uuid };
    this.fromAgent(pid, {
      name: 'StatusUpdateMessage',
      body: { update: { ...update, latest_state: of.state } },
    });
  }

  acknowledge(of: { frameworkId: string; agentId: string; taskId: string; uuid: number }): void {
    this.call(of.frameworkId, {
      type: 'ACKNOWLEDGE',
      acknowledge: {
        agent_id: { value: of.agentId },
        task_id: { value: of.taskId },
        uuid: new Uint8Array(16).fill(of.uuid),
      },
    });
  }
}
