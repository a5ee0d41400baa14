// Everything there is in one simulated run: machines, the master and its registry, frameworks, the
// network between them, and the observer that holds them to their promises.
import { SimClock } from '#env/sim/clock.ts';
import { SimRandom } from '#env/sim/random.ts';
import type { FrameworkCore } from '#kube/framework/core.ts';
import type { ProviderCore } from '#mesos/provider/core.ts';
import type { AgentCore } from '#mesos/agent/core.ts';
import type { MasterCore } from '#mesos/master/core.ts';
import type { RecoveredRegistry } from '#mesos/master/types.ts';
import { REGISTRY_HOST, SimGroup } from './election.ts';
import { FrameworkActor } from './framework.ts';
import { KubeInstance } from './kube-instance.ts';
import { Machine } from './machine.ts';
import type { MasterProcess } from './master-process.ts';
import { MasterSeat } from './master-seat.ts';
import { type Life, Network } from './network.ts';
import { Observer } from './observer.ts';
import { Operator } from './operator.ts';
import { SimRegistry } from './registry.ts';
import { type Fault, FAULTS_MS, type Plan, type Point } from './plan.ts';

/** Deliberate breaks, to see that the observer would notice them. */
export interface Sabotage {
  readonly registry?: (registry: SimRegistry) => void;
  readonly master?: (core: MasterCore) => void;
  readonly agent?: (core: AgentCore) => void;
  readonly provider?: (core: ProviderCore) => void;
  readonly machine?: (machine: Machine) => void;
  readonly instance?: (core: FrameworkCore) => void;
  readonly framework?: (actor: FrameworkActor) => void;
  readonly group?: (group: SimGroup) => void;
}

export interface RunOptions {
  readonly isTraced: boolean;
  readonly sabotage?: Sabotage | undefined;
  /** Events after which a run that has not ended is given up. */
  readonly stepsMax?: number | undefined;
}

/** Whoever comes back by itself. */
export interface Trapped {
  crash(forMs: number): void;
}

export class World {
  readonly plan: Plan;
  readonly sabotage: Sabotage;
  readonly clock = new SimClock();
  readonly random: SimRandom;
  readonly network: Network;
  readonly observer: Observer;
  readonly operator: Operator;
  readonly machines: readonly Machine[];
  readonly frameworks: readonly FrameworkActor[];
  readonly instance: KubeInstance | undefined;
  readonly lines: string[] = [];
  readonly registry = new SimRegistry();
  /** Undefined: there is one master. */
  readonly group: SimGroup | undefined;
  readonly seats: readonly MasterSeat[];
  readonly #isTraced: boolean;
  /** When a master or an agent started last, in milliseconds of the run. */
  startedAt = 0;
  #masters = 0;
  #registryBreaks = 0;
  readonly #traps: (Extract<Fault, { kind: 'trap' }> & { left: number })[] = [];

  constructor(plan: Plan, options: RunOptions) {
    this.plan = plan;
    this.sabotage = options.sabotage ?? {};
    this.#isTraced = options.isTraced;
    this.random = new SimRandom(plan.seed);
    this.network = new Network(this.clock, this.random.child('network'));
    this.group = plan.masters > 1 ? new SimGroup(this.network) : undefined;
    if (this.group !== undefined) this.sabotage.group?.(this.group);
    this.seats = Array.from(
      { length: plan.masters },
      (_, i) => new MasterSeat(this, i === 0 ? 'master' : `master-${i + 1}`),
    );
    this.observer = new Observer(this);
    this.operator = new Operator(this);
    this.machines = plan.machines.map((resources, i) => new Machine(this, i + 1, resources));
    this.registry.onChange = (change) => this.observer.registered(change);
    this.sabotage.registry?.(this.registry);
    for (const machine of this.machines) this.sabotage.machine?.(machine);
    this.frameworks = plan.frameworks.map((one) => new FrameworkActor(this, one));
    for (const framework of this.frameworks) this.sabotage.framework?.(framework);
    this.instance = plan.instance && new KubeInstance(this, plan.instance);
    for (const { role, weight } of plan.frameworks) {
      if (weight === 1) continue;
      this.registry.apply({ kind: 'set-weight', role, weight });
      this.operator.decided.weight(role).confirmed(weight);
    }
  }

  machine(upid: string): Machine | undefined {
    return this.machines.find((one) => one.upid === upid);
  }

  /** Who leads. */
  get master(): MasterProcess | undefined {
    return this.leadingSeat?.process;
  }

  get leadingSeat(): MasterSeat | undefined {
    return this.seats.find(({ process }) => process !== undefined);
  }

  seatAt(address: string | undefined): MasterSeat | undefined {
    return this.seats.find((one) => one.address === address);
  }

  nextMaster(): number {
    this.#masters += 1;
    return this.#masters;
  }

  /** A master or an agent starts. */
  noteStart(): void {
    this.startedAt = this.clock.monotonicMs();
  }

  /** Tells who leads, now or soon and at every change, as long as whoever asks lives. */
  watchLeader(life: Life, onAddress: (address: string | undefined) => void): void {
    if (this.group === undefined) onAddress(this.seats[0]?.address);
    else this.group.watch(life, (leader) => onAddress(leader?.info.id));
  }

  /** Of one master alone it lies on the same machine. */
  isRegistryAway({ host }: MasterSeat): boolean {
    if (this.isRegistryDown) return true;
    return this.group !== undefined && this.network.isCut(host, REGISTRY_HOST);
  }

  breakRegistry(isDown: boolean): void {
    this.#registryBreaks += isDown ? 1 : -1;
    this.log(`the registry ${isDown ? 'fails' : 'works'}`);
  }

  get isRegistryDown(): boolean {
    return this.#registryBreaks > 0;
  }

  trap(fault: Extract<Fault, { kind: 'trap' }>): void {
    this.#traps.push({ ...fault, left: fault.nth });
  }

  /** Some provider is to have less or more than before. */
  get isProviderResized(): boolean {
    return this.plan.faults.some(
      (one) => one.kind === 'crash-provider' && one.megabytes !== undefined,
    );
  }

  /** Somebody comes to a point where a trap may wait: true when it was killed there. */
  reach(of: number, point: Point, who?: MasterSeat | Trapped): boolean {
    if (this.#traps.length === 0 || this.clock.monotonicMs() > FAULTS_MS) return false;
    const trap = this.#traps.find((one) => one.of === of && one.point === point);
    if (trap === undefined) return false;
    trap.left -= 1;
    if (trap.left >= 0) return false;
    this.#traps.splice(this.#traps.indexOf(trap), 1);
    const machine = this.machines[of - 1];
    this.log(`${machine?.name ?? 'master'} is killed at ${point}`);
    if (who !== undefined && !(who instanceof MasterSeat)) {
      who.crash(trap.forMs);
      return true;
    }
    const seat = who;
    if (machine === undefined) seat?.crash();
    else machine.crashAgent();
    this.clock.after(trap.forMs, () => {
      if (machine === undefined) seat?.start();
      else machine.startAgent();
    });
    return true;
  }

  /** What the registry holds at this moment. */
  registered(): RecoveredRegistry {
    return this.registry.read();
  }

  /** A line that costs something to make. */
  tell(line: () => string): void {
    if (this.#isTraced) this.log(line());
  }

  log(line: string): void {
    if (!this.#isTraced) return;
    const seconds = (this.clock.monotonicMs() / 1_000).toFixed(3).padStart(9);
    this.lines.push(`${seconds} ${line}`);
  }
}
