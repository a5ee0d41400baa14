// One life of an agent: the production core behind simulated disk, network and processes. The
// simulated side of `mesos/agent/shell.ts`.
import { AGENT_CAPABILITIES } from '#mesos/resources/agent-capabilities.ts';
import { AgentCore } from '#mesos/agent/core.ts';
import type {
  AgentEffect,
  AgentInput,
  AgentOptions,
  CheckpointRecord,
  ConnectionId,
  FromMaster,
} from '#mesos/agent/types.ts';
import { DriverExecutors, type DriverMessageName } from '#mesos/agent/driver-executors.ts';
import type { FromAgent, FromAgentName } from '#mesos/master/types.ts';
import { addressOf } from '#mesos/libprocess/endpoint.ts';
import { encode } from '#wire/mesos/codec.ts';
import { uuidBytes } from '#mesos/executor/uuid.ts';
import { parseResources } from '#mesos/resources/parse.ts';
import type { ExecutorEvent, TaskStatus } from '#wire/mesos/v1.ts';
import type { Timer } from '#env/env.ts';
import { AgentProviders } from './agent-providers.ts';
import { SimContainers } from './containers.ts';
import type { CustomExecutor, Unacknowledged } from './custom-executor.ts';
import { driverUpid } from './driver-executor.ts';
import type { Machine } from './machine.ts';
import { Links } from './links.ts';
import { Channel, Life } from './network.ts';
import type { Point } from './plan.ts';
import { overTheWire, sendPerhapsTwice, summaryOf } from './wire.ts';
import type { World } from './world.ts';

const RECONNECT_MS = 200;
const RECONNECT_MS_MAX = 1_000;

/** An executor's two channels to its agent. */
export interface ExecutorStream {
  update(status: TaskStatus): void;
}

export class AgentProcess {
  readonly machine: Machine;
  readonly life: Life;
  readonly core: AgentCore;
  readonly providers: AgentProviders;
  readonly #world: World;
  readonly #containers: SimContainers;
  readonly #executors = new Map<ConnectionId, Channel>();
  readonly #drivers: DriverExecutors;
  #nextConnection = 1;
  #inputs: AgentInput[] = [];
  #isPumping = false;
  readonly #links: Links;
  /** When the last batch's effects are performed: they are in order. */
  #performedAt = 0;
  readonly #chains = new Map<string, number>();
  /** On their way to the disk. */
  readonly #writes = new Set<CheckpointRecord>();
  #timer: Timer | undefined;
  #timerAt = Infinity;
  #reconnect: Timer | undefined;
  #reconnectMs = RECONNECT_MS;
  #masterAddress: string | undefined;

  constructor(machine: Machine, incarnation: number) {
    this.machine = machine;
    this.#world = machine.world;
    this.life = new Life(machine.name, `agent ${machine.name}`);
    const random = machine.world.random.child(`${machine.name} ${incarnation}`);
    this.core = new AgentCore(optionsOf(machine), {
      uuid: () => random.uuid(),
      uuidBytes: () => uuidBytes(random.uuid()),
      next: () => random.next(),
    });
    machine.world.sabotage.agent?.(this.core);
    this.#links = new Links({
      network: this.#world.network,
      life: this.life,
      lifeAt: (address) =>
        this.#world.seatAt(address)?.life ?? this.machine.driverAt(address)?.life,
      onExited: (address) => {
        if (!this.#drivers.exited(driverUpid(address))) this.#masterExited(address);
      },
    });
    this.#drivers = new DriverExecutors({
      core: this.core,
      log: { warn: (message) => this.#world.tell(() => `${machine.name}: ${message}`) },
      wantsTokens: false,
      nextConnection: () => this.#nextConnection++,
      onInput: (input) => this.input(input),
      send: (to, name, body) => {
        const bytes = encode(name, body);
        const address = addressOf(to);
        this.#links.send(address, (life) => {
          const executor = this.machine.driverAt(address);
          if (executor?.life === life) executor.fromAgent(name, bytes);
        });
      },
      link: (to) => this.#links.link(addressOf(to)),
      unlink: (to) => this.#links.unlink(addressOf(to)),
    });
    this.providers = new AgentProviders({
      network: this.#world.network,
      life: this.life,
      core: this.core,
      onInput: (input) => this.input(input),
      nextConnection: () => this.#nextConnection++,
    });
    this.#containers = new SimContainers({
      machine,
      life: this.life,
      onInput: (input) => this.input(input),
      nextConnection: () => this.#nextConnection++,
    });
  }

  start(): void {
    const { disk } = this.machine;
    this.input({ kind: 'recovered', state: disk.recover() });
    this.#later(1, () => {
      const { workloads, agentId } = this.core;
      this.#containers.recover(agentId ?? '', workloads.frameworks.values());
      this.#later(2, () => {
        this.#world.watchLeader(this.life, (address) => this.#masterDetected(address));
      });
    });
  }

  /** alive -> dead. What was on its way to the disk has got there, or not. */
  kill(): void {
    this.life.end();
    for (const record of this.#writes) {
      // Writes that depend on each other are in order; a later one is never there alone.
      if (!this.#world.random.chance(0.5)) break;
      this.machine.makeDurable(record);
    }
    this.#containers.close();
  }

  input(input: AgentInput): void {
    if (!this.life.isAlive) return;
    this.#inputs.push(input);
    if (this.#isPumping) return;
    this.#isPumping = true;
    this.#later(0, () => this.#pump());
  }

  /** Undefined: the agent answers with an error, the executor tries again. */
  subscribeExecutor(executor: CustomExecutor, kept: Unacknowledged): ExecutorStream | undefined {
    const { key } = executor.launch;
    if (this.core.master.kind === 'recovering') return undefined;
    if (this.core.workloads.executor(key) === undefined) return undefined;
    const { network } = this.#world;
    const connection = this.#nextConnection++;
    const stream: ExecutorStream = {
      update: (status) => {
        upward.send(() => {
          if (this.core.workloads.executor(key)?.connection !== connection) return;
          if (this.core.workloads.updateError(key, status) !== undefined) return;
          this.input({ kind: 'executor-update', key, status });
        });
      },
    };
    const upward = new Channel(network, {
      from: executor.life,
      to: this.life,
      // A call that fails makes an executor subscribe anew.
      onBroken: () => downward.break(),
    });
    const downward: Channel = new Channel(network, {
      from: this.life,
      to: executor.life,
      onBroken: () => this.input({ kind: 'executor-disconnected', connection }),
      onClosed: () => {
        upward.finish();
        executor.onDisconnected(stream);
      },
    });
    this.#executors.set(connection, downward);
    this.input({
      kind: 'executor-subscribed',
      key,
      connection,
      unacknowledgedTasks: kept.tasks,
      unacknowledgedUpdates: kept.updates,
    });
    return stream;
  }

  fromDriver(upid: string, name: DriverMessageName, body: Uint8Array): void {
    this.#drivers.onMessage(upid, name, body);
  }

  fromMaster(message: FromMaster, connection: number): void {
    this.#world.tell(() => `${this.machine.name} <- master: ${summaryOf(message)}`);
    const received = overTheWire(this.#world, message);
    this.input({ kind: 'master-message', message: received, connection });
  }

  #masterDetected(address: string | undefined): void {
    if (address === this.#masterAddress) return;
    const isFirst = this.#masterAddress === undefined;
    this.#masterAddress = address;
    this.#reconnect?.cancel();
    this.#reconnectMs = RECONNECT_MS;
    if (!isFirst) this.input({ kind: 'master-lost' });
    this.#findMaster();
  }

  #findMaster(): void {
    const address = this.#masterAddress;
    if (address === undefined) return;
    this.#links.link(address);
    this.input({ kind: 'master-found', address });
  }

  #masterExited(address: string): void {
    // One that leads no longer.
    if (address !== this.#masterAddress) return;
    this.input({ kind: 'master-lost' });
    this.#reconnect?.cancel();
    this.#reconnect = this.#later(this.#reconnectMs, () => this.#findMaster());
    this.#reconnectMs = Math.min(this.#reconnectMs * 2, RECONNECT_MS_MAX);
  }

  #pump(): void {
    const inputs = this.#inputs;
    this.#inputs = [];
    this.#isPumping = false;
    const now = this.#world.clock.now();
    const effects = inputs.flatMap((input) => [...this.core.handle(input, now)]);
    if (this.core.master.kind === 'registered') this.#reconnectMs = RECONNECT_MS;
    if (this.core.agentId !== undefined) this.machine.agentHasId();
    this.#perform(effects);
    this.#arm();
  }

  /** All but the checkpoints waits until those are durable. */
  #perform(effects: readonly AgentEffect[]): void {
    let at = this.#performedAt;
    const others: AgentEffect[] = [];
    for (const effect of effects) {
      if (effect.kind === 'checkpoint') at = Math.max(at, this.#write(effect.record));
      else others.push(effect);
    }
    const now = this.#world.clock.now();
    this.#performedAt = Math.max(at, now);
    if (others.length === 0) return;
    this.#later(this.#performedAt - now, () => {
      for (const effect of others) this.#performOne(effect);
    });
  }

  #write(record: CheckpointRecord): number {
    const { clock, random } = this.#world;
    const chain = 'key' in record ? `${record.key.frameworkId} ${record.key.executorId}` : 'agent';
    const slow = random.chance(0.03) ? 300 : 4;
    const at = Math.max(this.#chains.get(chain) ?? 0, clock.now() + random.below(slow));
    this.#chains.set(chain, at);
    this.#writes.add(record);
    clock.after(at - clock.now(), () => {
      if (!this.life.isAlive || this.machine.reach('checkpoint')) return;
      if (!this.#writes.has(record)) return;
      // Without its disk an agent cannot keep its promises. What failed may be there all the same.
      if (this.machine.failsToWrite()) {
        if (this.machine.isDiskFull) this.#writes.clear();
        this.machine.agentFailed();
        return;
      }
      this.#writes.delete(record);
      this.machine.makeDurable(record);
      this.machine.reach('durable');
    });
    return at;
  }

  #performOne(effect: AgentEffect): void {
    if (!this.life.isAlive || this.machine.reach(effect.kind as Point)) return;
    switch (effect.kind) {
      case 'send-master':
        this.#send(effect.name, effect.body);
        return;
      case 'executor-event':
        this.#toExecutor(effect.connection, effect.event);
        return;
      case 'reconnect-executor':
        this.#drivers.reconnect(effect.upid);
        return;
      case 'close-executor':
        if (this.#drivers.close(effect.connection)) return;
        this.#executors.get(effect.connection)?.finish();
        this.#executors.delete(effect.connection);
        return;
      case 'provider-event':
        this.providers.send(effect.connection, effect.event);
        return;
      case 'close-provider':
        this.providers.close(effect.connection);
        return;
      case 'launch-container':
        this.#containers.launch(effect.launch);
        return;
      case 'destroy-container':
        this.#containers.destroy(effect.containerId);
        return;
      case 'forget-container':
        this.#containers.forget(effect.containerId);
        return;
      case 'exit':
        this.machine.agentFailed();
        return;
      default:
    }
  }

  #toExecutor(connection: ConnectionId, event: ExecutorEvent): void {
    if (this.#containers.deliver(connection, event)) return;
    if (this.#drivers.send(connection, event)) return;
    const channel = this.#executors.get(connection);
    const executor = [...this.machine.executors.values()].find(
      (one) => one.life === channel?.ends.to,
    );
    channel?.send(() => executor?.onEvent(event));
  }

  #send(name: string, body: unknown): void {
    const { upid } = this.machine;
    const message = { name: name as FromAgentName, body } as FromAgent;
    this.#world.tell(() => `${this.machine.name} -> master: ${summaryOf(message)}`);
    const address = this.#masterAddress;
    if (address === undefined) return;
    sendPerhapsTwice(this.#world, message, () => {
      this.#links.send(address, (to, connection) => {
        // One that waits for its turn drops what agents say.
        const master = this.#world.seatAt(address)?.process;
        if (master?.life !== to) return;
        master.fromAgent(upid, overTheWire(this.#world, message), connection);
      });
    });
  }

  #arm(): void {
    const at = this.core.nextDeadline();
    if (at === this.#timerAt) return;
    this.#timer?.cancel();
    this.#timerAt = at;
    if (at === Infinity) return;
    this.#timer = this.#later(Math.max(0, at - this.#world.clock.now()), () => {
      this.#timerAt = Infinity;
      this.input({ kind: 'tick' });
    });
  }

  #later(ms: number, act: () => void): Timer {
    return this.#world.clock.after(ms, () => {
      if (this.life.isAlive) act();
    });
  }
}

function optionsOf(machine: Machine): AgentOptions {
  return {
    info: { hostname: machine.name, port: 5051, resources: parseResources(machine.resources) },
    upid: machine.upid,
    version: '1.11.0',
    // No task of the simulation has limits of its own.
    capabilities: AGENT_CAPABILITIES.filter((type) => type !== 'TASK_RESOURCE_LIMITS').map(
      (type) => ({ type }),
    ),
    registrationBackoffMs: 1_000,
    registrationBackoffMsMax: 10_000,
    updateRetryMs: 10_000,
    updateRetryMsMax: 60_000,
    executorRegistrationTimeoutMs: 60_000,
    executorReregistrationTimeoutMs: 5_000,
    executorShutdownGraceMs: 5_000,
    completedFrameworksMax: 5,
    completedExecutorsMax: 5,
    completedTasksMax: 20,
  };
}
