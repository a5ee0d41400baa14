// Performs what the master core asks for: streams, libprocess messages, the registry, timers; and
// feeds it what happens. http.ts decides which request is which.
import type { ServerResponse } from 'node:http';
import type { Env, Timer } from '#env/env.ts';
import { LibprocessEndpoint } from '#mesos/libprocess/endpoint.ts';
import type { Registry, RegistryContent } from '#mesos/registry/registry.ts';
import type { Principal } from '#mesos/security/principal.ts';
import { everything, type Approvers } from '#mesos/security/authorizer.ts';
import { decode } from '#wire/mesos/codec.ts';
import type { QuotaConfig, SchedulerCall } from '#wire/mesos/v1.ts';
import { AgentEncoder } from './agent-encoder.ts';
import { MasterCore } from './core.ts';
import { differingPrincipal } from './call-validation.ts';
import { DriverLinks } from './drivers.ts';
import { MessageGate, OPEN_GATE, type GateOptions } from './message-gate.ts';
import type { ContentType } from '#mesos/libprocess/negotiate.ts';
import { getState } from './operator-answers.ts';
import { Portions } from './portions.ts';
import type { StreamAnswer } from './call-answers.ts';
import { EventStream } from './streams.ts';
import { Timings } from './timings.ts';
import { Visible } from './visible.ts';
import { WhitelistWatcher } from './whitelist-watcher.ts';
import type { Refusal } from '#mesos/libprocess/refusal.ts';
import {
  fromAgentNames,
  type FromAgent,
  type ConnectionId,
  type FrameworkRecord,
  type FromAgentName,
  type MasterEffect,
  type MasterOptions,
} from './types.ts';

type Persist = Extract<MasterEffect, { kind: 'persist' }>;

const MESSAGE_BYTES_MAX = 256 * 1024 * 1024;
/** Changes confirmed in one turn of the event loop; more would keep others waiting. */
const PERSIST_BATCH_MAX = 256;
/** After a run others have as long as it took, and no longer than this, before the next that is urgent. */
const REST_MS_MAX = 50;
/** So long a run waits for each event of offers that the run before it sent, while they are being answered. */
const OFFERS_GAP_MS = 1;
/** At least so long: what was used of an offer, or refused, is offered together with what others give back. */
const GAP_MS_MIN = 10;
const GAP_MS_MAX = 500;
/** When nothing has been given back for so long, there is nothing more to wait for. */
const QUIET_MS = 5;
/** Frameworks that come one so soon after the other are all there before offers are made for them: */
const NEWCOMERS_GAP_MS = 10;
/** but for no longer than this; a stock master's next run (--allocation_interval) may be a second away. */
const NEWCOMERS_MS_MAX = 50;
/** A framework may be offered every agent at once: bytes of such an offer, and some. */
const OFFER_BYTES = 4_096;
const OPERATOR_STREAMS_MAX = 1_000;
const knownNames: ReadonlySet<string> = new Set(fromAgentNames);

export class MasterShell {
  readonly core: MasterCore;
  readonly libprocess: LibprocessEndpoint;
  readonly options: MasterOptions;
  readonly env: Env;
  readonly #registry: Registry;
  readonly #streams = new Map<number, EventStream<'SchedulerEvent'>>();
  readonly #drivers: DriverLinks;
  readonly #gate: MessageGate;
  readonly #encoder = new AgentEncoder();
  readonly portions: Portions;
  /** Each with what it may see. */
  readonly #operators = new Map<EventStream<'MasterEvent'>, Visible>();
  readonly #streamIds = new Map<string, number>();
  #nextConnection = 1;
  #timer: { readonly at: number; readonly timer: Timer } | undefined;
  /** The next run: within this turn, or when its timer fires. */
  #allocation: 'soon' | { at: number; isPatient: boolean; timer: Timer } | undefined;
  #allocatedAt = 0;
  /** When something came back that is offered again with patience. */
  #givenBackAt = -Infinity;
  /** Frameworks that come one after the other: since when, the last of them, until when it is waited. */
  #newcomers = { since: -Infinity, last: -Infinity, until: -Infinity };
  /** Of the last run: portions of it, with making and sending the offers. */
  #portionsMs = 0;
  /** By the last run. */
  #offersSent = 0;
  /** Milliseconds: of runs, between wanting a run and its start, of registry writes. */
  readonly #runs = new Timings();
  readonly #waits = new Timings();
  readonly #writes = new Timings();
  readonly #fetchMs: number;
  #wantedAt: number | undefined;
  /** Taken so far by the run that is under way, portion by portion. */
  #runMs = 0;
  #whitelist: WhitelistWatcher | undefined;
  #isClosed = false;
  readonly #closing = new AbortController();
  readonly #ended = Promise.withResolvers<void>();
  /** Registry writes go one after the other; each confirms its changes when they are durable. */
  readonly #unwritten: Persist[] = [];
  #isWriting = false;
  #beingWritten = 0;
  #persisting: Promise<void> = Promise.resolve();

  private constructor(
    core: MasterCore,
    registry: Registry,
    env: Env,
    { fetchMs, gate }: { readonly fetchMs: number; readonly gate: GateOptions },
  ) {
    const { options } = core.state;
    this.#fetchMs = fetchMs;
    this.options = options;
    this.core = core;
    this.env = env;
    this.#registry = registry;
    this.portions = new Portions(() => env.clock.monotonicMs());
    this.libprocess = new LibprocessEndpoint({
      id: 'master',
      address: `${options.ip}:${options.port}`,
      tls: options.tls,
      bodyBytesMax: MESSAGE_BYTES_MAX,
      onMessage: (from, name, body, connection) => {
        this.#onMessage(from, name, body, connection);
      },
      onExited: (pid) => this.#gate.exited(pid, () => this.#onExited(pid)),
    });
    this.#drivers = new DriverLinks(this, this.libprocess);
    this.#gate = new MessageGate(this, this.#drivers, gate);
    // As Mesos times them: the decision alone, without making and sending the offers.
    core.state.timed = (decide) => {
      const from = env.clock.monotonicMs();
      const decided = decide();
      this.#runMs += env.clock.monotonicMs() - from;
      return decided;
    };
  }

  static async start(
    options: MasterOptions,
    registry: Registry,
    env: Env,
    gate: GateOptions = OPEN_GATE,
  ): Promise<MasterShell> {
    const from = env.clock.monotonicMs();
    const content = await withWeights(await registry.read(), { options, registry, env });
    const fetchMs = env.clock.monotonicMs() - from;
    const core = new MasterCore(options, content, env.clock.now());
    const shell = new MasterShell(core, registry, env, { fetchMs, gate });
    await shell.#watchWhitelist();
    shell.#wakeAt(core.nextDeadline());
    return shell;
  }

  /** Nothing is offered before it has been read. */
  async #watchWhitelist(): Promise<void> {
    const { whitelist } = this.options;
    if (whitelist === undefined) return;
    const onHosts = (hosts: ReadonlySet<string>): void => {
      this.perform(this.core.setWhitelist(hosts));
    };
    this.#whitelist = new WhitelistWatcher(whitelist, onHosts, this.env);
    await this.#whitelist.read();
  }

  /** Resolves when the master cannot go on. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  get now(): number {
    return this.env.clock.now();
  }

  perform(effects: readonly MasterEffect[]): void {
    for (const effect of effects) this.#performOne(effect);
  }

  /** Resolves when what the effects persist is durable and has had its consequences. */
  async performDurably(effects: readonly MasterEffect[]): Promise<void> {
    this.perform(effects);
    while (this.#isWriting) await this.#persisting;
  }

  newConnection(): ConnectionId {
    return this.#nextConnection++;
  }

  /** Opens a scheduler's stream; the core answers on it (also with refusals told as events). */
  subscribe(
    call: SchedulerCall,
    response: StreamAnswer,
    contentType: ContentType,
    principal?: Principal,
  ): void {
    const connection = this.newConnection();
    const streamId = this.env.random.uuid();
    const stream = new EventStream<'SchedulerEvent'>(
      response,
      {
        message: 'SchedulerEvent',
        contentType,
        heartbeatMs: this.options.heartbeatMs,
        heartbeat: { type: 'HEARTBEAT' },
        headers: { 'Mesos-Stream-Id': streamId },
        allowance: () => this.core.state.agents.size * OFFER_BYTES,
        onEnd: () => {
          this.#streams.delete(connection);
          this.#streamIds.delete(streamId);
          if (!this.#isClosed) this.perform(this.core.disconnected(connection, this.now));
        },
      },
      this.env,
    );
    this.#streams.set(connection, stream);
    this.#awaitOthers();
    this.#streamIds.set(streamId, connection);
    this.perform(this.core.subscribe(connection, named(call, principal), this.now));
    // What it waits for should not leave behind the offers of others.
    stream.flush();
  }

  /** A call on an open subscription; a refusal says why with its HTTP status. */
  call(
    call: SchedulerCall,
    streamId: string | undefined,
    principal?: Principal,
  ): Refusal | undefined {
    const id = call.framework_id?.value ?? '';
    const framework = this.core.state.frameworks.get(id);
    if (framework === undefined) return { status: 400, message: 'Framework cannot be found' };
    const refusal = this.#refusalOf(framework, streamId, principal);
    if (refusal !== undefined) {
      // Mesos counts what it refuses.
      this.core.state.frameworkMetrics.countOf(id, 'calls', call.type ?? 'UNKNOWN');
      return refusal;
    }
    const outcome = this.core.call(id, call, this.now);
    if ('status' in outcome) return outcome;
    this.perform(outcome);
    return undefined;
  }

  /** Why the sender of a call is not the framework that it is for. */
  #refusalOf(
    framework: FrameworkRecord,
    streamId: string | undefined,
    principal: Principal | undefined,
  ): Refusal | undefined {
    const differs = differingPrincipal(principal, framework.info.principal ?? '');
    if (differs !== undefined) return { status: 400, message: differs };
    if (framework.connection === undefined) {
      return { status: 403, message: 'Framework is not subscribed' };
    }
    if (framework.pid !== undefined) {
      return { status: 403, message: 'Framework is not connected via HTTP' };
    }
    if (streamId === undefined) {
      const message = "All non-subscribe calls should include the 'Mesos-Stream-Id' header";
      return { status: 400, message };
    }
    if (this.#streamIds.get(streamId) === framework.connection) return undefined;
    const message = `The stream ID '${streamId}' included in this request didn't match the stream ID currently associated with framework ID ${framework.id}`;
    return { status: 400, message };
  }

  /** All of them or none; resolves when they are durable and in effect. */
  async setWeights(
    weights: readonly { readonly role: string; readonly weight: number }[],
  ): Promise<void> {
    await this.#registry.applyAll(weights.map((one) => ({ kind: 'set-weight', ...one })));
    this.perform(this.core.setWeights(weights));
  }

  /** UPDATE_QUOTA and SET_QUOTA, already checked; resolves when they are durable and in effect. */
  async setQuotas(configs: readonly QuotaConfig[]): Promise<void> {
    await this.#registry.apply({ kind: 'set-quotas', configs });
    this.perform(this.core.setQuotas(configs));
  }

  async removeQuota(role: string): Promise<void> {
    await this.#registry.apply({ kind: 'set-quotas', configs: [{ role }] });
    this.perform(this.core.removeQuota(role));
  }

  /** `approvers`: what the subscriber may see. */
  subscribeOperator(
    response: ServerResponse,
    contentType: ContentType,
    approvers: Approvers = everything,
  ): void {
    const visible = new Visible(this.core.state, approvers);
    const seconds = this.options.heartbeatMs / 1_000;
    const stream = new EventStream<'MasterEvent'>(
      response,
      {
        message: 'MasterEvent',
        contentType,
        heartbeatMs: this.options.heartbeatMs,
        heartbeat: { type: 'HEARTBEAT' },
        onEnd: () => this.#operators.delete(stream),
      },
      this.env,
    );
    this.#operators.set(stream, visible);
    const [oldest] = this.#operators.keys();
    const max = this.options.operatorStreamsMax ?? OPERATOR_STREAMS_MAX;
    if (this.#operators.size > max) oldest?.close();
    const subscribed = {
      get_state: visible.state(getState(this.core)),
      heartbeat_interval_seconds: seconds,
    };
    stream.send({ type: 'SUBSCRIBED', subscribed });
  }

  /** What is the shell's to measure, under Mesos' names. */
  metrics(): Record<string, number> {
    const queued = this.#unwritten.length;
    const runsWanted = this.#allocation === undefined ? 0 : 1;
    return {
      'master/operator_event_stream_subscribers': this.#operators.size,
      // What waits to go on when its change is durable.
      'master/event_queue_dispatches': queued + this.#beingWritten,
      'master/event_queue_messages': this.#gate.waiting,
      'allocator/event_queue_dispatches': runsWanted,
      'allocator/mesos/event_queue_dispatches': runsWanted,
      'allocator/mesos/allocation_runs': this.#runs.total,
      ...this.#runs.summary('allocator/mesos/allocation_run_ms'),
      ...this.#waits.summary('allocator/mesos/allocation_run_latency_ms'),
      'registrar/queued_operations': queued,
      'registrar/registry_size_bytes': this.core.registryBytes(),
      'registrar/state_fetch_ms': this.#fetchMs,
      ...this.#writes.summary('registrar/state_store_ms'),
    };
  }

  /** Aborted when the master closes. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#closing.abort();
    this.#whitelist?.close();
    this.#timer?.timer.cancel();
    if (this.#allocation !== 'soon') this.#allocation?.timer.cancel();
    this.portions.close();
    for (const stream of this.#streams.values()) stream.close();
    for (const stream of this.#operators.keys()) stream.close();
    this.#gate.close();
    this.libprocess.close();
    await this.#persisting;
  }

  #onMessage(from: string, name: string, body: Uint8Array, connection: number): void {
    const deliver = (): void => {
      // What waits until its sender is known may have waited for too long.
      if (!this.#isClosed) this.#deliver(from, name, body, connection);
    };
    try {
      this.#gate.message(from, name, body, deliver);
    } catch (error) {
      this.env.log.warn('Dropping a message that cannot be parsed', { from, name, error });
    }
  }

  #onExited(pid: string): void {
    if (this.#drivers.onExited(pid)) return;
    this.perform(this.core.onAgentExited(pid, this.now));
  }

  #deliver(from: string, fullName: string, body: Uint8Array, connection: number): void {
    const name = fullName.replace(/^mesos\.internal\./, '');
    let message: FromAgent;
    try {
      if (this.#drivers.onMessage(from, fullName, body)) return;
      if (!knownNames.has(name)) {
        this.env.log.debug('Dropping a message that no handler is for', { from, name: fullName });
        return;
      }
      const known = name as FromAgentName;
      message = { name: known, body: decode(known, body) } as FromAgent;
    } catch (error) {
      this.env.log.warn('Dropping a message that cannot be parsed', {
        from,
        name: fullName,
        error,
      });
      return;
    }
    // Pongs come from the agent itself, so its pid is known to be alive.
    this.perform(this.core.onAgentMessage(from, message, this.now, connection));
  }

  #performOne(effect: MasterEffect): void {
    switch (effect.kind) {
      case 'event':
        if (this.#drivers.send(effect.connection, effect.event)) break;
        this.#streams.get(effect.connection)?.send(effect.event);
        break;
      case 'close':
        this.#drivers.close(effect.connection);
        this.#streams.get(effect.connection)?.close();
        break;
      case 'send': {
        const { to, message } = effect;
        this.libprocess.send(to, `mesos.internal.${message.name}`, this.#encoder.encode(message));
        break;
      }
      case 'link':
        this.libprocess.link(effect.to);
        break;
      case 'unlink':
        this.libprocess.unlink(effect.to);
        break;
      case 'persist':
        this.#persist(effect);
        break;
      case 'wake-at':
        this.#wakeAt(effect.at);
        break;
      case 'allocate-soon':
        this.#allocateSoon(effect.isPatient);
        break;
      case 'fail':
        this.env.log.error('The master cannot go on', { why: effect.message });
        this.#ended.resolve();
        break;
      case 'operator-event':
        for (const [stream, visible] of this.#operators) {
          const event = visible.event(effect.event, effect.task);
          if (event !== undefined) stream.send(event);
        }
        break;
    }
  }

  /** What comes while a write is on its way goes into the next one, all together. */
  #persist(effect: Persist): void {
    this.#unwritten.push(effect);
    if (this.#isWriting) return;
    this.#isWriting = true;
    this.#persisting = this.#writeRegistry();
  }

  async #writeRegistry(): Promise<void> {
    while (this.#unwritten.length > 0) await this.#writeBatch();
    this.#isWriting = false;
  }

  async #writeBatch(): Promise<void> {
    const batch = this.#unwritten.splice(0, PERSIST_BATCH_MAX);
    this.#beingWritten = batch.length;
    const from = this.env.clock.monotonicMs();
    try {
      await this.#registry.applyAll(batch.map(({ change }) => change));
    } catch (error) {
      // Without its registry a master must not go on: another could contradict it.
      this.env.log.error('Cannot write the registry; stopping', { error });
      this.#ended.resolve();
      return;
    }
    this.#writes.add(this.env.clock.monotonicMs() - from);
    this.#beingWritten = 0;
    for (const { token } of batch) {
      if (!this.#isClosed) this.perform(this.core.confirm(token, this.now));
    }
  }

  /**
   * Everything that happened in one turn of the event loop is allocated by one run. Runs leave half of
   * the time to others. What nobody is known to wait for waits until no more of it comes, and not for
   * much longer than the frameworks take that the last run told: many offers in few events.
   */
  #allocateSoon(isPatient: boolean): void {
    this.#wantedAt ??= this.env.clock.monotonicMs();
    const { now } = this;
    if (isPatient) this.#givenBackAt = now;
    if (this.#allocation === 'soon') return;
    const rested = this.#allocatedAt + Math.min(this.#portionsMs, REST_MS_MAX);
    const earliest = isPatient ? this.#patientAt(now) : rested;
    const at = Math.max(this.core.isAllocating ? 0 : earliest, this.#newcomers.until);
    if (this.#allocation !== undefined) {
      // From now on it does not wait for more to be given back.
      this.#allocation.isPatient &&= isPatient;
      if (this.#allocation.at <= at) return;
      this.#allocation.timer.cancel();
    }
    if (at <= now) this.#runSoon();
    else this.#runAt(at, isPatient);
  }

  /** When a run is due that waits for what else is given back: it grows while more comes. */
  #patientAt(now: number): number {
    const gap = Math.min(this.#offersSent * OFFERS_GAP_MS, GAP_MS_MAX);
    const quiet = Math.min(this.#allocatedAt + gap, this.#givenBackAt + QUIET_MS);
    return Math.max(this.#allocatedAt + GAP_MS_MIN, quiet, now);
  }

  #runAt(at: number, isPatient: boolean): void {
    const { now } = this;
    const timer = this.env.timers.after(at - now, () => {
      const later = run.isPatient ? this.#patientAt(this.now) : 0;
      if (later > this.now) this.#runAt(later, true);
      else this.#runSoon();
    });
    const run = { at, isPatient, timer };
    this.#allocation = run;
  }

  #runSoon(): void {
    this.#allocation = 'soon';
    this.portions.add('run', () => {
      this.#allocation = undefined;
      if (this.now < this.#newcomers.until) this.#allocateSoon(false);
      else this.#allocate();
      return false;
    });
  }

  /**
   * The first of many frameworks that come would be offered the whole cluster, and what is made and sent
   * for it would keep the others waiting. One that comes alone does not wait.
   */
  #awaitOthers(): void {
    const { now } = this;
    const { last, since } = this.#newcomers;
    if (now - last > NEWCOMERS_GAP_MS) {
      this.#newcomers = { since: now, last: now, until: now };
      return;
    }
    const until = Math.min(now + NEWCOMERS_GAP_MS, since + NEWCOMERS_MS_MAX);
    this.#newcomers = { since, last: now, until };
  }

  /** One portion of a run; the core asks for the next. */
  #allocate(): void {
    const from = this.env.clock.monotonicMs();
    if (!this.core.isAllocating) {
      this.#offersSent = 0;
      this.#runMs = 0;
      this.#portionsMs = 0;
      this.#waits.add(from - (this.#wantedAt ?? from));
    }
    this.#wantedAt = undefined;
    const effects = this.core.allocate(this.now);
    for (const effect of effects) if (effect.kind === 'event') this.#offersSent += 1;
    this.#allocatedAt = this.now;
    if (!this.core.isAllocating) this.#runs.add(this.#runMs);
    this.perform(effects);
    this.#portionsMs += this.env.clock.monotonicMs() - from;
  }

  #wakeAt(at: number): void {
    if (at === Infinity) return;
    if (this.#timer !== undefined && this.#timer.at <= at) return;
    this.#timer?.timer.cancel();
    const timer = this.env.timers.after(at - this.now, () => {
      this.#timer = undefined;
      this.perform(this.core.onTick(this.now));
      this.#wakeAt(this.core.nextDeadline());
    });
    this.#timer = { at, timer };
  }
}

/** Those of --weights are for a registry that has none; then they stay in it. */
async function withWeights(
  content: RegistryContent,
  of: {
    readonly options: MasterOptions;
    readonly registry: Registry;
    readonly env: Env;
  },
): Promise<RegistryContent> {
  const { weights = [] } = of.options;
  if (weights.length === 0) return content;
  if (content.weights.length > 0) {
    of.env.log.warn('Ignoring --weights: the registry has weights');
    return content;
  }
  await of.registry.applyAll(weights.map((one) => ({ kind: 'set-weight', ...one })));
  return { ...content, weights };
}

/** A framework that does not name its principal goes by the one that it has authenticated as. */
function named(call: SchedulerCall, principal: Principal | undefined): SchedulerCall {
  const { subscribe } = call;
  if (principal?.value === undefined || subscribe === undefined) return call;
  const { framework_info } = subscribe;
  if (framework_info.principal !== undefined) return call;
  const info = { ...framework_info, principal: principal.value };
  return { ...call, subscribe: { ...subscribe, framework_info: info } };
}
