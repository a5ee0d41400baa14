// One run: a plan's world is started, its faults happen, everything heals, and the observer judges.
import { REGISTRY_HOST } from './election.ts';
import { DriverExecutor } from './driver-executor.ts';
import type { Machine } from './machine.ts';
import { pairOf } from './network.ts';
import { FAULTS_MS, fairnessPlanOf, planOf, type Fault, type Plan } from './plan.ts';
import { type RunOptions, type Sabotage, World } from './world.ts';
import { dominantShareOf } from './shares.ts';

const SETTLE_MS_MAX = 40 * 60_000;
const QUIET_MS = 150_000;
/** Operations of frameworks that nobody knows any more are ended so late. */
const ORPHANS_MS = 400_000;
const STEPS_MAX = 3_000_000;

export interface Outcome {
  readonly seed: number;
  readonly violations: readonly string[];
  readonly lines: readonly string[];
  readonly steps: number;
  readonly virtualMs: number;
  readonly tasksStarted: number;
}

export function run(plan: Plan, options: RunOptions): Outcome {
  const world = new World(plan, options);
  const { clock } = world;
  start(world);
  for (const fault of plan.faults) clock.after(fault.at, () => happen(world, fault));
  for (const act of plan.acts) clock.after(act.at, () => world.operator.act(act));
  const { stepsMax = STEPS_MAX } = options;
  let steps = 0;
  const until = (isOver: () => boolean): void => {
    while (!isOver() && steps < stepsMax && !world.observer.isFull && clock.step()) steps += 1;
  };
  const ends = [...plan.acts, ...plan.faults].map(({ at, ...more }) => at + forMs(more));
  const healedAt = Math.max(0, ...ends);
  const isIdle = (): boolean => clock.monotonicMs() > healedAt && isWorkDone(world);
  until(() => clock.monotonicMs() >= FAULTS_MS || isIdle());
  until(() => clock.monotonicMs() >= SETTLE_MS_MAX || isIdle());
  if (clock.monotonicMs() >= SETTLE_MS_MAX && !isWorkDone(world)) {
    world.observer.failed(`time is up, and ${unfinished(world)} has work to do`);
  }
  for (const framework of world.frameworks) if (framework.isDone) framework.leave();
  const leftAt = clock.monotonicMs();
  // A part that starts meanwhile (a trap closed late) waits anew for everything that it waits for.
  const settleSince = (ms: number): void =>
    until(() => clock.monotonicMs() >= Math.max(leftAt, world.startedAt) + ms);
  settleSince(QUIET_MS);
  if (hasOrphans(world)) settleSince(ORPHANS_MS);
  if (steps >= stepsMax) world.observer.failed('there is no end of events');
  world.observer.settled();
  const tasksStarted = world.frameworks.reduce((sum, one) => sum + one.tasks.size, 0);
  const { violations } = world.observer;
  const virtualMs = clock.monotonicMs();
  return { seed: plan.seed, violations, lines: world.lines, steps, virtualMs, tasksStarted };
}

export function runSeed(seed: number, options: RunOptions = { isTraced: false }): Outcome {
  return run(planOf(seed), options);
}

export interface Holding {
  readonly weight: number;
  /** Of the whole cluster, by what really runs. */
  readonly share: number;
}

/** Mean dominant share of each framework over a time of steady contention. */
export function runFairness(seed: number, sabotage?: Sabotage): Holding[] {
  const plan = fairnessPlanOf(seed);
  const world = new World(plan, { isTraced: false, sabotage });
  const { clock } = world;
  start(world);
  clock.advance(60_000);
  const sums = plan.frameworks.map(() => 0);
  const samples = 200;
  for (let i = 0; i < samples; i++) {
    clock.advance(1_000);
    plan.frameworks.forEach(({ name }, at) => {
      sums[at] = (sums[at] ?? 0) + dominantShareOf(world, name) / samples;
    });
  }
  return plan.frameworks.map(({ weight }, at) => ({ weight, share: sums[at] ?? 0 }));
}

function start(world: World): void {
  const { clock, random } = world;
  const [first, ...others] = world.seats;
  clock.after(random.below(50), () => first?.start());
  for (const seat of others) clock.after(random.below(3_000), () => seat.start());
  world.operator.start();
  for (const machine of world.machines) {
    clock.after(random.below(2_000), () => machine.startAgent());
  }
  for (const framework of world.frameworks) {
    clock.after(random.below(5_000), () => framework.start());
  }
  const { instance } = world;
  if (instance !== undefined) clock.after(random.below(5_000), () => instance.start());
}

function isWorkDone(world: World): boolean {
  return unfinished(world) === undefined;
}

/** Somebody whose work is not done; undefined: everybody's is. */
function unfinished({ frameworks, operator, instance }: World): string | undefined {
  if (instance !== undefined && !(instance.isDone && instance.life.isAlive)) return 'the instance';
  if (!operator.isDone) return 'the operator';
  return frameworks.find((one) => !one.isDone || !one.life.isAlive)?.plan.name;
}

function hasOrphans({ machines }: World): boolean {
  return machines.some(({ agent }) => {
    const { resources, providers } = agent?.core ?? {};
    return (resources?.operations.length ?? 0) + (providers?.operations.length ?? 0) > 0;
  });
}

function forMs(fault: object): number {
  return 'forMs' in fault && typeof fault.forMs === 'number' ? fault.forMs : 0;
}

function happen(world: World, fault: Fault): void {
  const { clock, machines, frameworks, network } = world;
  switch (fault.kind) {
    case 'crash-master': {
      const seat = world.seats[fault.of ?? -1] ?? world.leadingSeat ?? world.seats[0];
      seat?.crash();
      clock.after(fault.forMs, () => seat?.start());
      return;
    }
    case 'lose-registry': {
      const host = world.seats[fault.of]?.host ?? 'master';
      world.log(`${host} cannot reach the registry for ${fault.forMs} ms`);
      network.cutBetween(host, REGISTRY_HOST);
      clock.after(fault.forMs, () => network.heal(pairOf(host, REGISTRY_HOST), 0.3));
      return;
    }
    case 'crash-agent':
    case 'reboot': {
      const machine = machines[fault.of];
      if (fault.kind === 'reboot') machine?.reboot();
      else machine?.crashAgent();
      clock.after(fault.forMs, () => machine?.startAgent());
      return;
    }
    case 'crash-framework': {
      const framework = frameworks[fault.of];
      framework?.crash();
      clock.after(fault.forMs, () => framework?.start());
      return;
    }
    case 'crash-instance': {
      const { instance } = world;
      instance?.crash();
      clock.after(fault.forMs, () => instance?.start());
      return;
    }
    case 'crash-provider':
      machines[fault.of]?.crashProvider(fault.forMs, fault.megabytes);
      return;
    case 'crash-executor': {
      world.log(`machine-${fault.of + 1}: its executors are killed`);
      for (const one of machines[fault.of]?.executors.values() ?? []) one.die(9);
      return;
    }
    case 'partition':
    case 'stall': {
      const host = hostOf(world, fault.of);
      const isCut = fault.kind === 'partition';
      world.log(`${host} ${isCut ? 'is cut off' : 'stalls'} for ${fault.forMs} ms`);
      network.cut(host);
      clock.after(fault.forMs, () => {
        world.log(`${host} is back on the network`);
        network.heal(host, isCut ? 0.3 : 0);
      });
      return;
    }
    case 'slow': {
      const host = hostOf(world, fault.of);
      world.log(`${host} is slow for ${fault.forMs} ms`);
      network.slow(host, fault.byMs);
      clock.after(fault.forMs, () => network.slow(host, -fault.byMs));
      return;
    }
    case 'disk-full': {
      const machine = machines[fault.of];
      machine?.fillDisk(true);
      clock.after(fault.forMs, () => machine?.fillDisk(false));
      return;
    }
    case 'disk-error':
      machines[fault.of]?.failWrite(fault.nth);
      return;
    case 'registry-down':
      world.breakRegistry(true);
      clock.after(fault.forMs, () => world.breakRegistry(false));
      return;
    case 'trap':
      world.trap(fault);
      return;
    case 'break-drivers':
      breakDrivers(world, machines[fault.of]);
      return;
    case 'break':
      breakOne(world, fault.of);
      return;
    default:
  }
}

/** 0 is the master, then machines, then frameworks. */
function hostOf({ machines, frameworks }: World, of: number): string {
  const hosts = [
    'master',
    ...machines.map(({ name }) => name),
    ...frameworks.map(({ plan }) => plan.name),
    'kube',
    'master-2',
    ...machines.map(({ name }) => `${name}-disks`),
  ];
  return hosts[of] ?? 'master';
}

function breakDrivers(world: World, machine: Machine | undefined): void {
  world.log(`${machine?.name}: connections to drivers break`);
  for (const one of machine?.executors.values() ?? []) {
    if (!(one instanceof DriverExecutor)) continue;
    for (const channel of one.life.channels) if (world.random.chance(0.6)) channel.break();
  }
}

function breakOne(world: World, of: number): void {
  const channels = [
    ...(world.master?.life.channels ?? []),
    ...world.machines.flatMap(({ agent }) => [...(agent?.life.channels ?? [])]),
  ];
  const channel = channels[of % Math.max(1, channels.length)];
  if (channel === undefined) return;
  world.log(`a connection of ${channel.ends.from.name} to ${channel.ends.to?.name ?? '?'} breaks`);
  channel.break();
}
