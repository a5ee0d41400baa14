// One life of a master: the production core behind simulated network, registry and timers. The
// simulated side of `mesos/master/shell.ts`.
import type { Timer } from '#env/env.ts';
import { MasterCore } from '#mesos/master/core.ts';
import { getState } from '#mesos/master/operator-answers.ts';
import type { Refusal } from '#mesos/libprocess/refusal.ts';
import type {
  FromAgent,
  MasterEffect,
  MasterOptions,
  RegistryChange,
  ToAgent,
} from '#mesos/master/types.ts';
import type { MasterEvent, SchedulerCall, SchedulerEvent } from '#wire/mesos/v1.ts';
import { everything } from '#mesos/security/authorizer.ts';
import { Links } from './links.ts';
import { Channel, type Life } from './network.ts';
import type { HoldingRequest, LifecycleRequest, OperatorRequest } from './operator.ts';
import type { MasterSeat } from './master-seat.ts';
import type { Point } from './plan.ts';
import type { SimRegistry } from './registry.ts';
import { overTheWireEvent, sendPerhapsTwice, summaryOf } from './wire.ts';
import type { World } from './world.ts';

/** A scheduler's end of a subscription. */
export interface Subscriber {
  readonly life: Life;
  onEvent(event: SchedulerEvent): void;
  onEnd(): void;
}

/** Somebody who follows the state of the cluster: the operator's SUBSCRIBE. */
export interface Follower {
  readonly life: Life;
  onEvent(event: MasterEvent): void;
  onEnd(): void;
}

/** The outcome of a call, as its HTTP answer tells it. */
export interface Answer {
  readonly status: number;
  readonly message: string;
}

/** A packet is sent again for that long after its sender has died. */
const LATE_WRITE_MS_MAX = 40_000;

export class MasterProcess {
  readonly life: Life;
  readonly core: MasterCore;
  readonly #world: World;
  readonly #seat: MasterSeat;
  readonly #registry: SimRegistry;
  #leadership: number;
  readonly #links: Links;
  readonly #streams = new Map<number, Channel>();
  readonly #subscribers = new Map<number, Subscriber>();
  readonly #followers = new Map<Channel, Follower>();
  readonly #persisting: RegistryChange[] = [];
  /** By token: who waits for an answer until it is durable. */
  readonly #waiting = new Map<number, () => void>();
  #persistedAt = 0;
  /** A write failed; it may come yet. */
  #isUncertain = false;
  #nextConnection = 1;
  #timer: { readonly at: number; readonly timer: Timer } | undefined;
  #allocation: { readonly isPatient: boolean; readonly timer: Timer } | undefined;

  constructor(
    seat: MasterSeat,
    {
      world,
      leadership,
      incarnation,
    }: { readonly world: World; readonly leadership: number; readonly incarnation: number },
  ) {
    const { registry } = world;
    this.#world = world;
    this.#seat = seat;
    this.#registry = registry;
    this.#leadership = leadership;
    this.life = seat.life;
    this.#links = new Links({
      network: world.network,
      life: this.life,
      lifeAt: (upid) => world.machine(upid)?.agent?.life,
      onExited: (upid) => this.#perform(this.core.onAgentExited(upid, this.#now)),
    });
    this.core = new MasterCore(optionsOf(seat, incarnation), registry.read(), world.clock.now());
    world.sabotage.master?.(this.core);
    this.#wakeAt(this.core.nextDeadline());
  }

  /** alive -> dead. What was on its way into the registry has got there, or not, or comes when another leads. */
  kill(): void {
    const { random } = this.#world;
    this.life.end();
    let delayMs = 0;
    for (const change of this.#persisting) {
      if (!random.chance(0.5)) break;
      if (random.chance(0.4)) delayMs += 1 + random.below(LATE_WRITE_MS_MAX);
      if (delayMs === 0) this.#registry.write(change, this.#leadership);
      else this.#arrives(change, delayMs);
    }
  }

  /** Its sender is dead by then, and another master may lead, which has read the registry without it. */
  #arrives(change: RegistryChange, delayMs: number): void {
    const leadership = this.#leadership;
    this.#world.clock.after(delayMs, () => void this.#registry.write(change, leadership));
  }

  fromAgent(upid: string, message: FromAgent, connection: number): void {
    this.#world.tell(() => `master <- ${upid}: ${summaryOf(message)}`);
    this.#perform(this.core.onAgentMessage(upid, message, this.#now, connection));
  }

  /** The id of the new connection. */
  subscribe(subscriber: Subscriber, call: SchedulerCall): number {
    const connection = this.#nextConnection++;
    const channel = new Channel(this.#world.network, {
      from: this.life,
      to: subscriber.life,
      onBroken: () => this.#ended(connection),
      onClosed: () => subscriber.onEnd(),
    });
    this.#streams.set(connection, channel);
    this.#subscribers.set(connection, subscriber);
    const outcome = this.core.subscribe(connection, call, this.#now);
    if (!('status' in outcome)) this.#perform(outcome);
    return connection;
  }

  call(connection: number, call: SchedulerCall): Answer {
    const id = call.framework_id?.value ?? '';
    const framework = this.core.state.frameworks.get(id);
    if (framework === undefined) return { status: 400, message: 'Framework cannot be found' };
    if (framework.connection !== connection) return { status: 400, message: 'Another stream' };
    const outcome = this.core.call(id, call, this.#now);
    if ('status' in outcome) return outcome;
    this.#perform(outcome);
    return { status: 202, message: '' };
  }

  subscribeOperator(follower: Follower): void {
    const channel = new Channel(this.#world.network, {
      from: this.life,
      to: follower.life,
      onBroken: () => this.#followers.delete(channel),
      onClosed: () => follower.onEnd(),
    });
    this.#followers.set(channel, follower);
    const get_state = getState(this.core);
    channel.send(() => follower.onEvent({ type: 'SUBSCRIBED', subscribed: { get_state } }));
  }

  /** The scheduler closed its end, or its connection broke. */
  disconnected(connection: number): void {
    this.#streams.get(connection)?.break();
    this.#ended(connection);
  }

  /** `answer` is told the HTTP status when all is durable and in effect. */
  operate(request: OperatorRequest, answer: (status: number, message: string) => void): void {
    const { core } = this;
    const done = (): void => answer(200, '');
    if (request.kind === 'set-weight') {
      const { role, weight } = request;
      this.#write({ kind: 'set-weight', role, weight }, (isWritten) => {
        if (!isWritten) return answer(500, 'The registry cannot be written');
        this.#perform(core.setWeights([{ role, weight }]));
        done();
      });
    } else if (request.kind === 'set-quota') {
      const configs = [request.config];
      const refusal = core.quotas.refusedUpdate(configs, false);
      if (refusal !== undefined) return answer(refusal.status, refusal.message);
      this.#write({ kind: 'set-quotas', configs }, (isWritten) => {
        if (!isWritten) return answer(500, 'The registry cannot be written');
        this.#perform(core.setQuotas(configs));
        done();
      });
    } else if ('holding' in request) this.#operateOn(request, answer);
    else {
      const outcome = core.decide(() => this.#decision(request));
      if ('status' in outcome) return answer(outcome.status, outcome.message);
      const persist = outcome.findLast((effect) => effect.kind === 'persist');
      if (persist !== undefined) this.#waiting.set(persist.token, done);
      this.#perform(outcome);
      if (persist === undefined) done();
    }
  }

  #decision(request: LifecycleRequest): Refusal | undefined {
    const { lifecycle } = this.core;
    const { kind, agentId } = request;
    if (kind === 'drain') {
      const { markGone } = request;
      const max_grace_period = { nanoseconds: 2e9 };
      return lifecycle.drain(agentId, { max_grace_period, mark_gone: markGone });
    }
    return kind === 'gone' ? lifecycle.markGone(agentId, this.#now) : lifecycle[kind](agentId);
  }

  /** As a script does it that looks at the agent and then asks for one operation. 204: nothing to do. */
  #operateOn(
    { agentId, holding }: HoldingRequest,
    answer: (status: number, message: string) => void,
  ): void {
    const agent = this.core.state.agents.get(agentId);
    const operation = agent === undefined ? undefined : holding(agent.total.toWire());
    if (agent === undefined) return answer(400, 'No agent found with specified ID');
    if (operation === undefined) return answer(204, '');
    this.#world.observer.holdings.asked(operation);
    const by = { principal: undefined, approvers: everything };
    const outcome = this.core.operate(agentId, operation, by, this.#now);
    if ('status' in outcome) {
      this.#world.observer.holdings.refused(operation);
      return answer(outcome.status, outcome.message);
    }
    this.#perform(outcome);
    answer(202, '');
  }

  get #now(): number {
    return this.#world.clock.now();
  }

  #ended(connection: number): void {
    if (!this.#streams.delete(connection)) return;
    this.#subscribers.delete(connection);
    this.#perform(this.core.disconnected(connection, this.#now));
  }

  #perform(effects: readonly MasterEffect[]): void {
    for (const effect of effects) {
      if (this.life.isAlive && !this.#world.reach(0, effect.kind as Point, this.#seat))
        this.#performOne(effect);
    }
    this.#world.observer.masterDecided(this.core);
  }

  #performOne(effect: MasterEffect): void {
    switch (effect.kind) {
      case 'event': {
        const subscriber = this.#subscribers.get(effect.connection);
        if (effect.event.offers !== undefined) {
          this.#world.observer.offered(this.core, effect.event.offers);
        }
        const event = overTheWireEvent(this.#world, effect.event);
        this.#streams.get(effect.connection)?.send(() => subscriber?.onEvent(event));
        return;
      }
      case 'close':
        this.#streams.get(effect.connection)?.finish();
        this.#streams.delete(effect.connection);
        return;
      case 'send':
        this.#send(effect.to, effect.message);
        return;
      case 'link':
        this.#links.link(effect.to);
        return;
      case 'unlink':
        this.#links.unlink(effect.to);
        return;
      case 'persist':
        this.#persist(effect);
        return;
      case 'wake-at':
        this.#wakeAt(effect.at);
        return;
      case 'allocate-soon':
        this.#allocateSoon(effect.isPatient);
        return;
      case 'operator-event':
        for (const [channel, follower] of this.#followers) {
          channel.send(() => follower.onEvent(effect.event));
        }
        return;
      default:
    }
  }

  #send(upid: string, message: ToAgent): void {
    this.#world.tell(() => `master -> ${upid}: ${summaryOf(message)}`);
    this.#world.observer.launches.sent(message, this.#now);
    const from = `master@${this.#seat.address}`;
    sendPerhapsTwice(this.#world, message, () => {
      this.#links.send(upid, (to, connection) => {
        const agent = this.#world.machine(upid)?.agent;
        if (agent?.life === to) agent.fromMaster({ from, ...message } as never, connection);
      });
    });
  }

  /** Changes become durable one after the other. */
  #persist({ change, token }: Extract<MasterEffect, { kind: 'persist' }>): void {
    this.#write(change, (isWritten) => {
      if (!isWritten) {
        this.#seat.fail();
        return;
      }
      this.#perform(this.core.confirm(token, this.#now));
      this.#waiting.get(token)?.();
      this.#waiting.delete(token);
    });
  }

  #write(change: RegistryChange, then: (isWritten: boolean) => void): void {
    const { random, clock } = this.#world;
    const slow = random.chance(0.05) ? 500 : 10;
    this.#persistedAt = Math.max(this.#persistedAt, this.#now) + random.below(slow);
    this.#persisting.push(change);
    if (this.#world.reach(0, 'writing', this.#seat)) return;
    clock.after(this.#persistedAt - this.#now, () => {
      if (!this.life.isAlive) return;
      this.#persisting.shift();
      if (this.#world.isRegistryAway(this.#seat)) {
        // A write that failed may be there all the same, or come yet.
        this.#isUncertain = true;
        const fate = random.next();
        if (fate < 0.3) this.#registry.write(change, this.#leadership);
        else if (fate < 0.5) this.#arrives(change, 1 + random.below(LATE_WRITE_MS_MAX));
        then(false);
        return;
      }
      if (this.#isUncertain) this.#leadership = this.#registry.renew(this.#leadership);
      this.#isUncertain = false;
      if (!this.#registry.write(change, this.#leadership)) return this.#seat.fail();
      if (!this.#world.reach(0, 'durable', this.#seat)) then(true);
    });
  }

  /** What nobody is known to wait for may take its time, as in the shell. */
  #allocateSoon(isPatient: boolean): void {
    if (this.#allocation !== undefined && (isPatient || !this.#allocation.isPatient)) return;
    this.#allocation?.timer.cancel();
    const waitMs = isPatient ? this.#world.random.below(50) : 0;
    const timer = this.#later(waitMs, () => {
      this.#allocation = undefined;
      this.#perform(this.core.allocate(this.#now));
    });
    this.#allocation = { isPatient, timer };
  }

  #wakeAt(at: number): void {
    if (at === Infinity || (this.#timer !== undefined && this.#timer.at <= at)) return;
    this.#timer?.timer.cancel();
    const timer = this.#later(Math.max(0, at - this.#now), () => {
      this.#timer = undefined;
      this.#perform(this.core.onTick(this.#now));
      this.#wakeAt(this.core.nextDeadline());
    });
    this.#timer = { at, timer };
  }

  #later(ms: number, act: () => void): Timer {
    return this.#world.clock.after(ms, () => {
      if (this.life.isAlive) act();
    });
  }
}

function optionsOf({ host, address }: MasterSeat, incarnation: number): MasterOptions {
  return {
    masterId: `m${incarnation}`,
    pid: `master@${address}`,
    hostname: host,
    ip: '10.0.0.1',
    port: 5050,
    version: '1.11.0',
    agentPingTimeoutMs: 5_000,
    agentPingTimeoutsMax: 3,
    agentReregisterTimeoutMs: 60_000,
    heartbeatMs: 15_000,
    completedFrameworksMax: 5,
    completedTasksMax: 50,
  };
}
