// One life of a resource provider with local disk: the production core behind simulated disk and network.
// The simulated side of `mesos/provider/shell.ts`; it lives in its agent, or as a process of its own.
import type { Timer } from '#env/env.ts';
import type { SimRandom } from '#env/sim/random.ts';
import { uuidBytes } from '#mesos/executor/uuid.ts';
import {
  ProviderCore,
  type ProviderEffect,
  type ProviderInput,
  type Volume,
} from '#mesos/provider/core.ts';
import type { ResourceProviderCall, ResourceProviderEvent } from '#wire/mesos/v1.ts';
import type { AgentProcess } from './agent-process.ts';
import type { Machine } from './machine.ts';
import { Channel, Life } from './network.ts';
import type { ProviderPlan } from './plan.ts';
import type { ProviderDisk } from './provider-disk.ts';

const RECONNECT_MS = 100;
const RECONNECT_MS_MAX = 1_000;
export const PROVIDER_TYPE = 'sim.rp.disk';
export const PROFILE = 'fast';

/** A subscription as its agent sees it. */
export class ProviderStream {
  readonly provider: ProviderProcess;
  /** Of the agent's numbers; undefined: it was refused. */
  connection: number | undefined;

  constructor(provider: ProviderProcess) {
    this.provider = provider;
  }
}

export class ProviderProcess {
  readonly machine: Machine;
  readonly life: Life;
  readonly core: ProviderCore;
  readonly #disk: ProviderDisk;
  readonly #random: SimRandom;
  readonly #agentId: string;
  #stream: ProviderStream | undefined;
  #calls: Channel | undefined;
  readonly #queue: ProviderEffect[] = [];
  #isBusy = false;
  #timer: Timer | undefined;
  #reconnectMs = RECONNECT_MS;

  constructor(machine: Machine, disk: ProviderDisk, { isApart }: ProviderPlan, lives: number) {
    this.machine = machine;
    this.#disk = disk;
    const host = isApart ? `${machine.name}-disks` : machine.name;
    this.life = new Life(host, `provider of ${machine.name}`);
    this.#random = machine.world.random.child(`${machine.name} provider ${lives}`);
    this.#agentId = machine.agent?.core.agentId ?? '';
    this.core = new ProviderCore(
      {
        mountRoot: '/disks/volumes',
        megabytes: disk.megabytes,
        profile: PROFILE,
        reservations: [],
        retryMs: 10_000,
        retryMsMax: 60_000,
        uuid: () => this.#random.uuid(),
        uuidBytes: () => uuidBytes(this.#random.uuid()),
      },
      disk.recover(this.#agentId),
      [...disk.volumes.values()],
    );
    machine.world.sabotage.provider?.(this.core);
  }

  start(): void {
    this.machine.world.noteStart();
    this.machine.world.log(`${this.life.name}: starts with ${this.#disk.megabytes} MB`);
    this.#later(1 + this.#random.below(10), () => this.#connect());
  }

  /** alive -> dead. What is being done to the disk is done, or not. */
  kill(): void {
    this.life.end();
    const [effect] = this.#queue;
    if (this.#isBusy && effect !== undefined && this.#random.chance(0.5)) this.#doOnDisk(effect);
  }

  // ---- the agent's side

  #connect(): void {
    const { agent, world } = this.machine;
    if (this.#stream !== undefined) return;
    const stream = new ProviderStream(this);
    this.#stream = stream;
    const { id } = this.core;
    const info = {
      type: PROVIDER_TYPE,
      name: 'disks',
      ...(id === undefined ? {} : { id: { value: id } }),
    };
    const call = new Channel(world.network, {
      from: this.life,
      to: agent?.life,
      onBroken: () => this.onEnd(stream),
    });
    call.send(() => {
      call.finish();
      if (agent === undefined) return;
      if (this.#isOfAnother(agent)) this.machine.restartProvider();
      else agent.providers.subscribe(stream, info);
    });
  }

  onEvent(stream: ProviderStream, event: ResourceProviderEvent): void {
    if (stream !== this.#stream) return;
    this.machine.world.tell(() => `${this.life.name} <- agent: ${event.type}`);
    if (event.subscribed === undefined) {
      this.input({ kind: 'event', event });
      return;
    }
    this.#reconnectMs = RECONNECT_MS;
    this.input({ kind: 'subscribed', id: event.subscribed.provider_id.value });
  }

  onEnd(stream: ProviderStream): void {
    if (stream !== this.#stream || !this.life.isAlive) return;
    this.#stream = undefined;
    this.#calls?.finish();
    this.#calls = undefined;
    this.input({ kind: 'disconnected' });
    if (this.#isOfAnother(this.machine.agent)) {
      this.machine.restartProvider();
      return;
    }
    this.#later(this.#reconnectMs, () => this.#connect());
    this.#reconnectMs = Math.min(this.#reconnectMs * 2, RECONNECT_MS_MAX);
  }

  /** To an agent of another id than when it was started its own id means nothing: it is started anew. */
  #isOfAnother(agent: AgentProcess | undefined): boolean {
    const { agentId } = agent?.core ?? {};
    return agentId !== undefined && agentId !== this.#agentId;
  }

  // ---- the core's side

  input(input: ProviderInput): void {
    if (!this.life.isAlive) return;
    this.#queue.push(...this.core.handle(input, this.machine.world.clock.now()));
    this.#arm();
    this.#perform();
  }

  #arm(): void {
    const { clock } = this.machine.world;
    this.#timer?.cancel();
    const at = this.core.nextDeadline();
    if (at === Infinity) return;
    this.#timer = this.#later(Math.max(0, at - clock.now()), () => this.input({ kind: 'tick' }));
  }

  /** One after the other, each when what is before it is done. */
  #perform(): void {
    if (this.#isBusy) return;
    const [effect] = this.#queue;
    if (effect === undefined) return;
    this.#isBusy = true;
    const slow = this.#random.chance(0.05) ? 400 : 5;
    const ms = effect.kind === 'call' ? 0 : this.#random.below(slow);
    this.#later(ms, () => {
      if (this.machine.reachProvider(effect.kind)) return;
      this.#isBusy = false;
      this.#queue.shift();
      this.#performOne(effect);
      if (!this.machine.reachProvider(`${effect.kind} done`)) this.#perform();
    });
  }

  #performOne(effect: ProviderEffect): void {
    // What is there need not be written again.
    const isMaking = effect.kind === 'make' && !this.#disk.volumes.has(effect.volume.id);
    const isStuck = (isMaking || effect.kind === 'keep') && this.machine.failsToWrite();
    switch (effect.kind) {
      case 'keep':
        // Without its disk it cannot keep its promises: it is there no more for a while.
        // What failed may be there all the same.
        if (!isStuck || (!this.machine.isDiskFull && this.#random.chance(0.5)))
          this.#doOnDisk(effect);
        if (isStuck) this.machine.providerFailed();
        return;
      case 'make':
      case 'remove': {
        const { key } = effect;
        if (isStuck) this.input({ kind: 'failed', key, message: 'No space left on device' });
        else {
          this.#doOnDisk(effect);
          this.input({ kind: effect.kind === 'make' ? 'made' : 'removed', key });
        }
        return;
      }
      case 'call':
        this.#call(effect.call);
        return;
      case 'publish': {
        const isOk = effect.volumes.every(({ id }) => this.#disk.volumes.has(id));
        this.input({ kind: 'published', uuid: effect.uuid, isOk });
        return;
      }
      default:
    }
  }

  #doOnDisk(effect: ProviderEffect): void {
    const { disks } = this.machine.world.observer;
    if (effect.kind === 'keep') {
      const { id } = this.core;
      if (id !== undefined) this.#disk.keep(this.#agentId, { id, state: effect.state });
    } else if (effect.kind === 'make') {
      this.#disk.volumes.set(effect.volume.id, effect.volume);
      disks.made(this.machine, effect.volume.id, this.#operationOf(effect.key));
    } else if (effect.kind === 'remove' && this.#disk.volumes.delete(effect.volume.id)) {
      disks.removed(this.machine, effect.volume.id);
    }
  }

  /** Its id, by its framework. */
  #operationOf(key: string): string | undefined {
    const { operations } = this.core;
    return operations.find(({ uuid }) => Buffer.from(uuid.value).toString('hex') === key)?.info.id
      ?.value;
  }

  /** One connection for all calls; what was on its way when it broke is lost. */
  #call(call: ResourceProviderCall): void {
    const stream = this.#stream;
    const { agent, world } = this.machine;
    if (stream === undefined) return;
    world.tell(() => `${this.life.name} -> agent: ${call.type}`);
    this.#calls ??= this.#openCalls(agent);
    this.#calls.send(() => agent?.providers.call(stream, call));
  }

  #openCalls(agent: AgentProcess | undefined): Channel {
    const { network } = this.machine.world;
    const { life } = this;
    const channel: Channel = new Channel(network, {
      from: life,
      to: agent?.life,
      onBroken: () => {
        if (this.#calls === channel) this.#calls = undefined;
      },
    });
    return channel;
  }

  get volumes(): ReadonlyMap<string, Volume> {
    return this.#disk.volumes;
  }

  #later(ms: number, act: () => void): Timer {
    return this.machine.world.clock.after(ms, () => {
      if (this.life.isAlive) act();
    });
  }
}
