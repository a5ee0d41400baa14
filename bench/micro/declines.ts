// The load of `mesos-frameworks` and `mesos-decisions` inside one process, without sockets: frameworks in roles decline
// whatever they are offered for five seconds, bytes of DECLINE in, bytes of offers out. How long decisions, refusals
// and offers take by themselves. `node bench/micro/declines.ts [AGENTS] [FRAMEWORKS] [ROLES] [SECONDS]`.
import type { SchedulerEvent } from '#wire/mesos/v1.ts';
import { MasterDrive } from './master-drive.ts';

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
  readonly drive = new MasterDrive({
    onEvent: (event, connection) => this.#told(event, connection),
  });
  readonly clients: Client[] = [];
  readonly agentsOffered = new Set<string>();
  decisionMs = 0;
  declineMs = 0;
  allocateMs = 0;
  tickMs = 0;
  offers = 0;

  constructor() {
    this.drive.core.state.timed = (decide) => {
      const from = cpuMs();
      const decided = decide();
      this.decisionMs += cpuMs() - from;
      return decided;
    };
  }

  start(): void {
    this.decisionMs = this.declineMs = this.allocateMs = this.tickMs = this.offers = 0;
  }

  register(i: number): void {
    const rack = `r${Math.floor(i / 40)}`;
    const attributes = [{ name: 'rack', type: 'TEXT' as const, text: { value: rack } }];
    this.drive.register(i, 4 + ((i * 4) % 32), { attributes });
  }

  /** Everybody declines what it has, in the order in which it was told; time passes for it. */
  declineAll(): void {
    for (const client of this.clients) {
      if (client === undefined || client.offers.length === 0) continue;
      const { drive } = this;
      const offers = client.offers.splice(0);
      const ids = offers.map((value) => ({ value }));
      const decline = { offer_ids: ids, filters: { refuse_seconds: REFUSE_SECONDS } };
      const framework_id = { value: client.frameworkId };
      const text = JSON.stringify({ framework_id, type: 'DECLINE', decline });
      drive.now += Math.round((offers.length * 1_000) / OFFERS_PER_SECOND);
      const from = cpuMs();
      const outcome = drive.call(client.frameworkId, text);
      this.declineMs += cpuMs() - from;
      drive.perform(outcome);
      this.tick();
    }
  }

  tick(): void {
    if (!this.drive.isTickDue) return;
    const from = cpuMs();
    this.drive.tick();
    this.tickMs += cpuMs() - from;
  }

  run(): void {
    this.drive.now += STEP_MS;
    this.tick();
    const from = cpuMs();
    this.drive.allocate();
    this.allocateMs += cpuMs() - from;
  }

  #told(event: SchedulerEvent, connection: number): void {
    const client = (this.clients[connection] ??= { frameworkId: '', offers: [] });
    if (event.type === 'SUBSCRIBED') {
      client.frameworkId = event.subscribed?.framework_id.value ?? '';
    }
    for (const { id, agent_id } of event.offers?.offers ?? []) {
      client.offers.push(id.value);
      this.agentsOffered.add(agent_id.value);
      this.offers += 1;
    }
  }
}

export function measure({ agents, frameworks, roles, seconds }: DeclineShape): DeclineCost {
  const bench = new Bench();
  for (let i = 0; i < agents; i++) bench.register(i);
  for (let i = 0; i < frameworks; i++) {
    bench.drive.subscribe(i, { name: `f-${i}`, roles: [`role-${i % roles}`] });
  }
  bench.start();
  bench.run();
  const firstMs = bench.allocateMs;
  bench.declineAll();
  const until = (end: number): void => {
    while (bench.drive.now < end) {
      bench.run();
      bench.declineAll();
    }
  };
  until(bench.drive.now + seconds * 1_000);
  bench.start();
  until(bench.drive.now + seconds * 1_000);
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
