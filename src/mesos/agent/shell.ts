// Runs the agent core: feeds it what happens, performs what it wants, in order and durably.
import { Fault, errorChain } from '#base/fault.ts';
import type { Env, Timer } from '#env/env.ts';
import type { ExecutorEvent, ResourceProviderEvent } from '#wire/mesos/v1.ts';
import type { Checkpoints } from './checkpoint.ts';
import type { Containers } from './containers.ts';
import type { AgentCore } from './core.ts';
import type { MasterAuthentication } from './master-authentication.ts';
import { refusedChanges, type ReconfigurationPolicy } from './reconfiguration.ts';
import type { AgentEffect, AgentInput, ConnectionId, FromMaster, RecoveredAgent } from './types.ts';

export interface AgentWiring {
  readonly checkpoints: Checkpoints;
  readonly containers: Containers;
  readonly policy: ReconfigurationPolicy;
  sendToMaster(upid: string, name: string, body: unknown): void;
  watchMaster(address: string): void;
  /** It has an id, from before or from a master. */
  onAgentId(agentId: string): void;
  /** Proves to it who this agent is, then calls `done`; undefined: nothing is to be proven. */
  readonly authentication: Pick<MasterAuthentication, 'start' | 'stop'> | undefined;
  sendToExecutor(connection: ConnectionId, event: ExecutorEvent): void;
  closeExecutor(connection: ConnectionId): void;
  reconnectExecutor(upid: string): void;
  sendToProvider(connection: ConnectionId, event: ResourceProviderEvent): void;
  closeProvider(connection: ConnectionId): void;
  onExit(how: 'leave' | 'restart' | 'failed', message: string): void;
}

const RECONNECT_MS = 200;
const RECONNECT_MS_MAX = 1000;

export class AgentShell {
  readonly core: AgentCore;
  #masterAddress: string | undefined;
  readonly #env: Env;
  #wiring: AgentWiring | undefined;
  #inputs: AgentInput[] = [];
  #isPumping = false;
  #isStarted = false;
  #isClosed = false;
  #tail: Promise<void> = Promise.resolve();
  #timer: Timer | undefined;
  #timerAt = Infinity;
  #reconnect: Timer | undefined;
  #reconnectMs = RECONNECT_MS;

  /** `masterAddress`: where the master is, unless that is told by `masterDetected`. */
  constructor(core: AgentCore, masterAddress: string | undefined, env: Env) {
    this.core = core;
    this.#masterAddress = masterAddress;
    this.#env = env;
  }

  wire(wiring: AgentWiring): void {
    this.#wiring = wiring;
  }

  /** Recovers what is on disk, then looks for the master. */
  async start(): Promise<void> {
    const { checkpoints, containers } = this.#wired();
    const state = await checkpoints.recover();
    const problem =
      state.resources === undefined ? undefined : this.core.resources.problemWith(state.resources);
    if (problem !== undefined) {
      throw new Fault(
        { code: 'incompatible-resources' },
        `Cannot recover the agent: what is configured lacks what was reserved of it: ${problem}`,
      );
    }
    this.input({ kind: 'recovered', state: this.#accepted(state) });
    await this.settled();
    const agentId = state.info?.id?.value ?? '';
    await containers.recover(agentId, this.core.workloads.frameworks.values());
    await this.settled();
    this.#isStarted = true;
    this.#findMaster();
  }

  /**
   * The recovered state, unless the agent is configured otherwise than its policy allows. After a reboot
   * nothing of it runs any more: then it is a new agent instead.
   */
  #accepted(state: RecoveredAgent): RecoveredAgent {
    if (state.info === undefined) return state;
    const { policy } = this.#wired();
    const differences = refusedChanges(state.info, this.core.options.info, policy);
    if (differences.length === 0) return state;
    if (state.isRebooted === true) {
      this.#env.log.warn('The machine was rebooted and the agent changed; it registers anew', {
        differences,
      });
      return { info: undefined, frameworks: [], resources: state.resources };
    }
    throw new Fault(
      { code: 'agent-reconfigured', differences },
      `Cannot recover the agent: ${differences.join('; ')} (reconfiguration_policy=${policy}). ` +
        'Configure it as before, or drain it and empty its folder to make it a new agent',
    );
  }

  input(input: AgentInput): void {
    if (this.#isClosed) return;
    this.#inputs.push(input);
    if (this.#isPumping) return;
    this.#isPumping = true;
    // What arrives in one turn of the event loop is decided together and checkpointed together.
    setImmediate(() => this.#pump());
  }

  masterMessage(message: FromMaster, connection: number): void {
    const isForgotten = message.name === 'PingSlaveMessage' && message.body.connected === false;
    if (isForgotten && this.#wired().authentication !== undefined) {
      // It does not know any more who this is: registering again is not enough.
      this.#forgotten();
      return;
    }
    this.input({ kind: 'master-message', message, connection });
  }

  /** `address`: undefined while nobody leads. */
  masterDetected(address: string | undefined): void {
    if (address === this.#masterAddress) return;
    this.#masterAddress = address;
    this.#reconnect?.cancel();
    this.#reconnectMs = RECONNECT_MS;
    this.#wired().authentication?.stop();
    this.input({ kind: 'master-lost' });
    if (this.#isStarted) this.#findMaster();
  }

  /** The connection to a master broke. */
  masterExited(address: string): void {
    // One that leads no longer.
    if (address === this.#masterAddress) this.#forgotten();
  }

  #forgotten(): void {
    this.#wired().authentication?.stop();
    this.input({ kind: 'master-lost' });
    if (this.#isClosed) return;
    this.#reconnect?.cancel();
    this.#reconnect = this.#env.timers.after(this.#reconnectMs, () => this.#findMaster());
    this.#reconnectMs = Math.min(this.#reconnectMs * 2, RECONNECT_MS_MAX);
  }

  /** Everything handed in so far has been decided and performed. */
  async settled(): Promise<void> {
    while (this.#isPumping) await new Promise<void>((done) => setImmediate(done));
    await this.#tail;
  }

  async close(): Promise<void> {
    await this.settled();
    await this.#wired().containers.forgotten();
    await this.#wired().containers.gc.close();
    await this.#wired().containers.images.close();
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#reconnect?.cancel();
    this.#wired().authentication?.stop();
    this.#wired().containers.close();
  }

  #wired(): AgentWiring {
    if (this.#wiring === undefined) throw new Error('AgentShell.wire() was not called');
    return this.#wiring;
  }

  #findMaster(): void {
    if (this.#isClosed || this.#masterAddress === undefined) return;
    const address = this.#masterAddress;
    const { authentication, watchMaster } = this.#wired();
    watchMaster(address);
    const found = (): void => this.input({ kind: 'master-found', address });
    if (authentication === undefined) found();
    else authentication.start(address, found);
  }

  #pump(): void {
    const inputs = this.#inputs;
    this.#inputs = [];
    this.#isPumping = false;
    const effects: AgentEffect[] = [];
    const now = this.#env.clock.now();
    for (const input of inputs) effects.push(...this.core.handle(input, now));
    const { agentId } = this.core;
    if (agentId !== undefined) this.#wired().onAgentId(agentId);
    if (this.core.master.kind === 'registered') this.#reconnectMs = RECONNECT_MS;
    this.#perform(effects);
    this.#arm();
  }

  /** Checkpoints of one batch are written side by side; all else waits until they are durable. */
  #perform(effects: readonly AgentEffect[]): void {
    const { checkpoints } = this.#wired();
    const writes: Promise<void>[] = [];
    const others: AgentEffect[] = [];
    for (const effect of effects) {
      if (effect.kind === 'checkpoint') writes.push(checkpoints.write(effect.record));
      else others.push(effect);
    }
    if (writes.length === 0 && others.length === 0) return;
    const written = Promise.all(writes);
    written.catch(() => {});
    this.#tail = this.#tail
      .then(async () => {
        await written;
        for (const effect of others) this.#performOne(effect);
      })
      .catch((error: unknown) => this.#fail(error));
  }

  #performOne(effect: AgentEffect): void {
    const wiring = this.#wired();
    const { containers } = wiring;
    switch (effect.kind) {
      case 'send-master': {
        const { master } = this.core;
        const address = 'address' in master ? master.address : this.#masterAddress;
        const to = effect.to ?? (address === undefined ? undefined : `master@${address}`);
        // Nobody leads: the core says it again to the next one.
        if (to !== undefined) wiring.sendToMaster(to, effect.name, effect.body);
        return;
      }
      case 'executor-event':
        if (!containers.deliver(effect.connection, effect.event)) {
          wiring.sendToExecutor(effect.connection, effect.event);
        }
        return;
      case 'close-executor':
        wiring.closeExecutor(effect.connection);
        return;
      case 'reconnect-executor':
        wiring.reconnectExecutor(effect.upid);
        return;
      case 'provider-event':
        wiring.sendToProvider(effect.connection, effect.event);
        return;
      case 'close-provider':
        wiring.closeProvider(effect.connection);
        return;
      case 'launch-container':
        void containers.launch(effect.launch);
        return;
      case 'update-container':
        containers.update(effect.containerId, effect.resources, effect.limits);
        return;
      case 'destroy-container':
        containers.destroy(effect.containerId);
        return;
      case 'forget-container':
        containers.forget(effect.containerId).catch((error: unknown) => {
          this.#env.log.warn('Cannot remove what is left of a container', {
            containerId: effect.containerId,
            error: errorChain(error),
          });
        });
        return;
      case 'log':
        this.#env.log.info(effect.message, effect.fields);
        return;
      case 'exit':
        wiring.onExit(effect.how, effect.message);
        return;
      default:
    }
  }

  /** Without its disk an agent cannot keep its promises: it stops, tasks run on. */
  #fail(error: unknown): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const path = error instanceof Fault ? error.detail['path'] : undefined;
    const message = errorChain(error);
    this.#env.log.error('The agent stops: it cannot write its state', { path, error: message });
    this.#wired().onExit('failed', message);
  }

  #arm(): void {
    const at = this.core.nextDeadline();
    if (at === this.#timerAt) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAt = at;
    if (at === Infinity) return;
    const { clock, timers } = this.#env;
    this.#timer = timers.after(Math.max(0, at - clock.now()), () => {
      this.#timerAt = Infinity;
      this.input({ kind: 'tick' });
    });
  }
}
