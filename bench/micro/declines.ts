// The load of `mesos-frameworks` and `mesos-decisions` inside one process, without sockets: frameworks in roles decline
// whatever they are offered for five seconds, bytes of DECLINE in, bytes of offers out. How long decisions, refusals
// and offers take by themselves. `node bench/micro/declines.ts [AGENTS] [FRAMEWORKS] [ROLES] [SECONDS]`.
import { MasterCore } from '#mesos/master/core.ts';
import { AGENT_CAPABILITIES } from '#mesos/resources/agent-capabilities.ts';
import { aFramework, testOptions } from '#mesos/master/core-fixture.ts';
import type { FromAgent, MasterEffect } from '#mesos/master/types.ts';
import { parseResources } from '#mesos/resources/parse.ts';
import { decode, encode, parseJson, stringify } from '#wire/mesos/codec.ts';

export interface DeclineShape {
  readonly agents: number;
  readonly frameworks: number;
  readonly roles: number;
  /** Virtual seconds that are measured, after as many that are not. */
  readonly seconds: number;
}

export interface DeclineCost {
  readonly offers: number;
  /** Agents that somebody was offered. */
  readonly agentsOffered: number;
  readonly frameworksOffered: number;
  /** Milliseconds of processor time until all agents were offered once, by code that had not run before. */
  readonly firstMs: number;
  /** Microseconds of processor time for each offer. */
  readonly decisionUs: number;
  readonly declineUs: number;
  readonly sendUs: number;
  readonly tickUs: number;
}

const REFUSE_SECONDS = 5;
/** What frameworks are told at most in a second, as on a machine that they share with the master. */
const OFFERS_PER_SECOND = 15_000;
const STEP_MS = 20;

/** Of this thread: what others do on the machine, and collecting garbage beside it, is left out. */
function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

interface Client {
  frameworkId: string;
  offers: string[];
}

class Bench {
  readonly core = new MasterCore(
    testOptions,
    { agents: [], unreachable: [], weights: [] },
    1_000_000,
  );
  readonly clients: Client[] = [];
  readonly agentsOffered = new Set<string>();
  now = 1_000_000;
  decisionMs = 0;
  declineMs = 0;
  allocateMs = 0;
  tickMs = 0;
  offers = 0;
  #isAllocating = false;
  #wakeAt = Infinity;

  constructor() {
    this.core.state.timed = (decide) => {
      const from = cpuMs();
      const decided = decide();
      this.decisionMs += cpuMs() - from;
      return decided;
    };
  }

  start(): void {
    this.decisionMs = this.declineMs = this.allocateMs = this.tickMs = this.offers = 0;
  }

  perform(effects: readonly MasterEffect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'event') {
        const { connection, event } = effect;
        const client = (this.clients[connection] ??= { frameworkId: '', offers: [] });
        stringify('SchedulerEvent', event);
        if (event.type === 'SUBSCRIBED') {
          client.frameworkId = event.subscribed?.framework_id.value ?? '';
        }
        for (const { id, agent_id } of event.offers?.offers ?? []) {
          client.offers.push(id.value);
          this.agentsOffered.add(agent_id.value);
          this.offers += 1;
        }
      } else if (effect.kind === 'persist') {
        this.perform(this.core.confirm(effect.token, this.now));
      } else if (effect.kind === 'allocate-soon') this.#isAllocating = true;
      else if (effect.kind === 'wake-at') this.#wakeAt = Math.min(this.#wakeAt, effect.at);
    }
  }

  register(i: number): void {
    const cpus = 4 + ((i * 4) % 32);
    const text = `cpus:${cpus};mem:${cpus * 4_096};disk:100000;ports:[31000-32000]`;
    const rack = `r${Math.floor(i / 40)}`;
    const attributes = [{ name: 'rack', type: 'TEXT', text: { value: rack } }];
    const slave = { hostname: `node-${i}`, resources: parseResources(text), attributes };
    const agent_capabilities = AGENT_CAPABILITIES.map((type) => ({ type }));
    const resource_version_uuid = { value: new Uint8Array(16).fill(7) };
    const sent = { slave, version: '1.11.0', agent_capabilities, resource_version_uuid };
    const name = 'RegisterSlaveMessage';
    const body = decode(name, encode(name, sent as never));
    const pid = `slave(1)@10.${i >> 16}.${(i >> 8) & 255}.${i & 255}:5051`;
    this.perform(this.core.onAgentMessage(pid, { name, body } as FromAgent, this.now, 1));
  }

  /** Everybody declines what it has, in the order in which it was told; time passes for it. */
  declineAll(): void {
    for (const client of this.clients) {
      if (client === undefined || client.offers.length === 0) continue;
      const offers = client.offers.splice(0);
      const ids = offers.map((value) => ({ value }));
      const decline = { offer_ids: ids, filters: { refuse_seconds: REFUSE_SECONDS } };
      const framework_id = { value: client.frameworkId };
      const text = JSON.stringify({ framework_id, type: 'DECLINE', decline });
      this.now += Math.round((offers.length * 1_000) / OFFERS_PER_SECOND);
      const from = cpuMs();
      const outcome = this.core.call(
        client.frameworkId,
        parseJson('SchedulerCall', text),
        this.now,
      );
      this.declineMs += cpuMs() - from;
      if ('status' in outcome) throw new Error(outcome.message);
      this.perform(outcome);
      this.tick();
    }
  }

  tick(): void {
    if (this.now < this.#wakeAt) return;
    this.#wakeAt = Infinity;
    const from = cpuMs();
    this.perform(this.core.onTick(this.now));
    this.tickMs += cpuMs() - from;
  }

  run(): void {
    this.now += STEP_MS;
    this.tick();
    while (this.#isAllocating) {
      this.#isAllocating = false;
      const from = cpuMs();
      this.perform(this.core.allocate(this.now));
      this.allocateMs += cpuMs() - from;
    }
  }
}

export function measure({ agents, frameworks, roles, seconds }: DeclineShape): DeclineCost {
  const bench = new Bench();
  for (let i = 0; i < agents; i++) bench.register(i);
  for (let i = 0; i < frameworks; i++) {
    const framework_info = aFramework({ name: `f-${i}`, roles: [`role-${i % roles}`] });
    const call = { type: 'SUBSCRIBE' as const, subscribe: { framework_info } };
    bench.perform(bench.core.subscribe(i, call, bench.now));
  }
  bench.start();
  bench.run();
  const firstMs = bench.allocateMs;
  bench.declineAll();
  const until = (end: number): void => {
    while (bench.now < end) {
      bench.run();
      bench.declineAll();
    }
  };
  until(bench.now + seconds * 1_000);
  bench.start();
  until(bench.now + seconds * 1_000);
  const us = (ms: number): number => (1_000 * ms) / bench.offers;
  const { decisionMs, declineMs, allocateMs, tickMs } = bench;
  return {
    offers: bench.offers,
    agentsOffered: bench.agentsOffered.size,
    frameworksOffered: bench.clients.filter((one) => one !== undefined).length,
    firstMs,
    decisionUs: us(decisionMs),
    declineUs: us(declineMs),
    sendUs: us(allocateMs - decisionMs),
    tickUs: us(tickMs),
  };
}

if (import.meta.main) {
  const [agents = 10_000, frameworks = 200, roles = 10, seconds = 10] = process.argv
    .slice(2)
    .map(Number);
  const cost = measure({ agents, frameworks, roles, seconds });
  process.stdout.write(
    `${JSON.stringify(cost, (_key, value: unknown) =>
      typeof value === 'number' ? Number(value.toFixed(2)) : value,
    )}\n`,
  );
}
