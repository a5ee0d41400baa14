// What a seed stands for: machines, frameworks with their work, and the faults that happen to them.
import { SimRandom } from '#env/sim/random.ts';
import type { QuotaConfig } from '#wire/mesos/v1.ts';

/** `driver`: a custom executor on a driver of before the v1 API. */
export type TaskKind = 'command' | 'group' | 'custom' | 'driver';

export interface FrameworkPlan {
  readonly name: string;
  readonly role: string;
  readonly weight: number;
  readonly isPartitionAware: boolean;
  readonly isCheckpointing: boolean;
  /** Pieces of work, each to be finished by some task in the end. */
  readonly works: number;
  readonly concurrencyMax: number;
  readonly kinds: readonly TaskKind[];
  readonly taskMsMax: number;
  /** Each task takes one of them; empty: any size up to 1.5 cpus and 512 MB. */
  readonly sizes: readonly string[];
  readonly refuseSeconds: readonly number[];
  readonly killChance: number;
  readonly failChance: number;
  /** States its demand by REQUEST instead of taking what is offered. */
  readonly isRequesting: boolean;
  readonly holdChance: number;
  /** Calls that mean the same when they come twice come twice. */
  readonly repeatChance: number;
  /** Wants more than an offer has. */
  readonly greedChance: number;
  /** Reserves resources, makes volumes and runs tasks on them. */
  readonly isReserving: boolean;
  /** That of one operation more on an offer, of three at most. */
  readonly operateChance: number;
  /** Operations have an id, so that the framework is told what becomes of them. */
  readonly feedbackChance: number;
  /** That of one operation more on offered disks of resource providers, and of a task on one; 0: none. */
  readonly diskChance: number;
  /** Wants to leave no reservation behind when its work is done. */
  readonly isCleaning: boolean;
  /** What becomes of it when its work is done. */
  readonly end: 'stays' | 'tears-down' | 'vanishes';
}

/** A resource provider with local disk on a machine. */
export interface ProviderPlan {
  readonly megabytes: number;
  /** A process of its own, reached over a network; otherwise it lives and dies with its agent. */
  readonly isApart: boolean;
}

/** A Kubernetes instance that runs as a framework beside the others. */
export interface InstancePlan {
  /** Pieces of work, each done when a pod of it has succeeded. */
  readonly works: number;
  readonly podMsMax: number;
  /** All pods come within this time. */
  readonly spreadMs: number;
  readonly failChance: number;
  /** Pods that are deleted at some moment. */
  readonly deleteChance: number;
}

export type Fault =
  | { readonly kind: 'crash-instance'; readonly at: number; readonly forMs: number }
  /** `of`: from 0; undefined: the one that leads. */
  | { readonly kind: 'crash-master'; readonly at: number; readonly forMs: number; of?: number }
  /** Of a master that is one of several. */
  | { readonly kind: 'lose-registry'; readonly at: number; readonly forMs: number; of: number }
  | { readonly kind: 'crash-agent'; readonly at: number; readonly forMs: number; of: number }
  | { readonly kind: 'reboot'; readonly at: number; readonly forMs: number; readonly of: number }
  | { readonly kind: 'crash-framework'; readonly at: number; readonly forMs: number; of: number }
  | { readonly kind: 'crash-executor'; readonly at: number; readonly of: number }
  /** `megabytes`: what it is configured with when it is back, where that changes. */
  | {
      readonly kind: 'crash-provider';
      readonly at: number;
      readonly forMs: number;
      readonly of: number;
      readonly megabytes: number | undefined;
    }
  /** `of`: 0 is the master, then machines, then frameworks. */
  | { readonly kind: 'partition'; readonly at: number; readonly forMs: number; readonly of: number }
  | { readonly kind: 'break'; readonly at: number; readonly of: number }
  /** Some of the connections between an agent and its executors on drivers. */
  | { readonly kind: 'break-drivers'; readonly at: number; readonly of: number }
  /** Nothing comes or goes for a while, and nothing breaks. `of` as with a partition. */
  | { readonly kind: 'stall'; readonly at: number; readonly forMs: number; readonly of: number }
  /** Every message to and from it takes so much longer at most. */
  | {
      readonly kind: 'slow';
      readonly at: number;
      readonly forMs: number;
      readonly of: number;
      readonly byMs: number;
    }
  | { readonly kind: 'disk-full'; readonly at: number; readonly forMs: number; of: number }
  /** From then on the nth thing that its agent or its provider writes is not written, or nobody can tell. */
  | { readonly kind: 'disk-error'; readonly at: number; readonly of: number; readonly nth: number }
  | { readonly kind: 'registry-down'; readonly at: number; readonly forMs: number }
  /** From then on, who comes to `point` for the nth time is killed there. `of`: 0 is the master. */
  | {
      readonly kind: 'trap';
      readonly at: number;
      readonly forMs: number;
      readonly of: number;
      readonly point: Point;
      readonly nth: number;
    };

/** Moments at which a crash tempts most: before an effect is performed, or just after. */
/** `writing`: something is on its way into the registry; where two masters stand for it. */
/** `provider …`: an effect of a resource provider's, or that it is done. */
export type Point =
  | (typeof AGENT_POINTS)[number]
  | (typeof DRIVER_POINTS)[number]
  | (typeof MASTER_POINTS)[number]
  | 'writing'
  | `provider ${string}`;
const AGENT_POINTS = [
  'checkpoint',
  'durable',
  'send-master',
  'executor-event',
  'launch-container',
  'start',
  'started',
] as const;
/** With executors on drivers. */
const DRIVER_POINTS = ['checkpoint', 'durable', 'executor-event', 'reconnect-executor'] as const;
const MASTER_POINTS = ['persist', 'durable', 'send', 'event'] as const;

/** What the operator decides. `of`: a machine. */
export type OperatorAct =
  | { readonly kind: 'set-weight'; readonly at: number; role: string; readonly weight: number }
  | { readonly kind: 'set-quota'; readonly at: number; readonly config: QuotaConfig }
  | { readonly kind: 'deactivate' | 'reactivate'; readonly at: number; readonly of: number }
  /** Its tasks are killed; `markGone`: then it is gone for good, and the machine comes back as another. */
  | { readonly kind: 'drain'; readonly at: number; readonly of: number; readonly markGone: boolean }
  | { readonly kind: 'gone'; readonly at: number; readonly of: number }
  /** A reservation of the operator's own, by `id`, for a role; a volume in it; the end of both. */
  | { readonly kind: 'reserve'; readonly at: number; of: number; id: string; role: string }
  | { readonly kind: 'create'; readonly at: number; of: number; id: string }
  | { readonly kind: 'release'; readonly at: number; of: number; id: string };

export interface Plan {
  readonly seed: number;
  /** One leads. */
  readonly masters: 1 | 2;
  readonly machines: readonly string[];
  readonly frameworks: readonly FrameworkPlan[];
  readonly faults: readonly Fault[];
  readonly acts: readonly OperatorAct[];
  readonly instance: InstancePlan | undefined;
  /** Of each machine. */
  readonly providers: readonly (ProviderPlan | undefined)[];
  /** That of a message between master and agent that it comes twice. */
  readonly twiceChance: number;
  /** Every message is encoded and decoded. */
  readonly isEncoded: boolean;
}

/** Faults happen within this time; after it everything heals. */
export const FAULTS_MS = 180_000;

function spread(random: SimRandom, bound: number): number {
  return 1 + random.below(random.chance(0.3) ? bound : Math.max(1, bound >> 3));
}

const WEIGHTS: Readonly<Record<string, number>> = { a: 2, b: 1, 'a/x': 1, c: 3 };

function reservingPlan(random: SimRandom) {
  const isReserving = random.chance(0.35);
  return {
    isReserving,
    operateChance: random.pick([0.2, 0.5, 0.9]),
    feedbackChance: random.pick([1, 1, 0.5]),
    isCleaning: isReserving && random.chance(0.5),
  };
}

function frameworkPlan(random: SimRandom, index: number): FrameworkPlan {
  const reserving = reservingPlan(random.child(`reserving ${index}`));
  const role = random.pick(Object.keys(WEIGHTS));
  const all: TaskKind[][] = [
    ['command'],
    ['command'],
    ['group'],
    ['custom'],
    ['command', 'custom', 'group'],
  ];
  return {
    name: `f${index + 1}`,
    role,
    weight: WEIGHTS[role] ?? 1,
    isPartitionAware: random.chance(0.8),
    isCheckpointing: random.chance(0.85),
    works: 1 + random.below(random.chance(0.2) ? 40 : 12),
    concurrencyMax: 1 + random.below(10),
    kinds: random.pick(all),
    taskMsMax: random.pick([200, 5_000, 60_000]),
    sizes: [],
    refuseSeconds: [0, 1, 5],
    killChance: random.pick([0, 0, 0.1, 0.4]),
    failChance: random.pick([0, 0, 0.2]),
    // What it wished for could come as its reservations, on which not everything can run.
    isRequesting: random.chance(0.25) && !reserving.isReserving,
    holdChance: random.pick([0, 0, 0.2]),
    repeatChance: random.pick([0, 0, 0.3]),
    greedChance: random.pick([0, 0, 0, 0.2]),
    end: random.pick(['stays', 'stays', 'tears-down', 'vanishes']),
    diskChance: 0,
    ...reserving,
  };
}

function fault(random: SimRandom, span: number, machines: number, frameworks: number): Fault {
  const at = random.below(span);
  const forMs = spread(random, random.chance(0.5) ? 60_000 : span >> 3);
  const host = (): number => random.below(1 + machines + frameworks);
  switch (random.below(14)) {
    case 0:
      return { kind: 'crash-master', at, forMs };
    case 1:
    case 2:
      return { kind: 'crash-agent', at, forMs, of: random.below(machines) };
    case 3:
      return { kind: 'crash-framework', at, forMs, of: random.below(frameworks) };
    case 4:
      return random.chance(0.3)
        ? { kind: 'reboot', at, forMs, of: random.below(machines) }
        : { kind: 'crash-executor', at, of: random.below(machines) };
    case 5:
    case 6:
      return { kind: 'partition', at, forMs, of: host() };
    case 7:
      return { kind: 'stall', at, forMs, of: host() };
    case 8:
      return { kind: 'slow', at, forMs, of: host(), byMs: random.pick([50, 1_000, 10_000]) };
    case 9:
      return random.chance(0.7)
        ? { kind: 'disk-full', at, forMs, of: random.below(machines) }
        : { kind: 'registry-down', at, forMs };
    case 10:
    case 11:
    case 12: {
      const of = random.chance(0.2) ? 0 : 1 + random.below(machines);
      const point = random.pick<Point>(of === 0 ? MASTER_POINTS : AGENT_POINTS);
      const nth = random.below(random.chance(0.5) ? 4 : 40);
      return { kind: 'trap', at, forMs: spread(random, 10_000), of, point, nth };
    }
    default:
      return { kind: 'break', at, of: random.below(1_000) };
  }
}

function amounts(cpus: number, mem: number): QuotaConfig['limits'] {
  return { cpus: { value: cpus }, mem: { value: mem } };
}

/**
 * Limits leave room for the executors of three frameworks on four machines and a task beside them;
 * guarantees, which nobody may ever use, leave a task's room to everybody else.
 */
function quotaConfig(random: SimRandom, cpus: number): QuotaConfig {
  const role = random.pick(Object.keys(WEIGHTS));
  if (random.chance(0.2)) return { role };
  const limits = amounts(4 + random.below(5), 2_048 + 512 * random.below(5));
  if (cpus < 8 || random.chance(0.5)) return { role, limits };
  const guarantees = amounts(random.below(3) / 2, 256 * random.below(3));
  return random.chance(0.3) ? { role, guarantees } : { role, guarantees, limits };
}

/** Whoever is deactivated is reactivated before the faults are over. */
function operatorActs(random: SimRandom, machines: readonly string[]): OperatorAct[] {
  if (random.chance(0.5)) return [];
  const cpus = machines.reduce((sum, one) => sum + Number(/cpus:(\d+)/.exec(one)?.[1]), 0);
  const acts: OperatorAct[] = [];
  const span = random.pick([10_000, 60_000, FAULTS_MS]);
  for (let left = 1 + random.below(6); left > 0; left--) {
    const at = random.below(span);
    if (random.chance(0.6)) acts.push({ kind: 'set-quota', at, config: quotaConfig(random, cpus) });
    else if (random.chance(0.5)) {
      const role = random.pick(Object.keys(WEIGHTS));
      acts.push({ kind: 'set-weight', at, role, weight: 1 + random.below(4) });
    } else {
      const of = random.below(machines.length);
      acts.push({ kind: 'deactivate', at, of });
      acts.push({ kind: 'reactivate', at: at + random.below(FAULTS_MS - at), of });
    }
  }
  return acts.toSorted((a, b) => a.at - b.at);
}

/**
 * One machine is drained or marked gone; on some there are reservations by the operator, which end with the
 * faults, so that there is room for all work.
 */
function moreActs(random: SimRandom, machines: readonly string[], roles: string[]): OperatorAct[] {
  const acts: OperatorAct[] = [];
  if (random.chance(0.2)) {
    const at = random.below(FAULTS_MS >> 1);
    const of = random.below(machines.length);
    const kind = random.pick(['drain', 'drain', 'drain and gone', 'gone'] as const);
    if (kind === 'gone') acts.push({ kind, at, of });
    else acts.push({ kind: 'drain', at, of, markGone: kind !== 'drain' });
    if (kind === 'drain') {
      acts.push({ kind: 'reactivate', at: at + random.below(FAULTS_MS - at), of });
    }
  }
  const count = random.chance(0.25) ? 1 + random.below(2) : 0;
  for (let i = 1; i <= count; i++) {
    const [id, of] = [`op-r${i}`, random.below(machines.length)];
    const at = random.below(FAULTS_MS >> 1);
    acts.push({ kind: 'reserve', at, of, id, role: random.pick(roles) });
    if (random.chance(0.6)) acts.push({ kind: 'create', at: at + random.below(20_000), of, id });
    acts.push({ kind: 'release', at: at + random.below(FAULTS_MS - at), of, id });
  }
  return acts;
}

function instancePlan(random: SimRandom): InstancePlan | undefined {
  if (!random.chance(0.25)) return undefined;
  return {
    works: 1 + random.below(random.chance(0.3) ? 30 : 8),
    podMsMax: random.pick([300, 5_000, 60_000]),
    spreadMs: random.pick([2_000, 60_000]),
    failChance: random.pick([0, 0.2]),
    deleteChance: random.pick([0, 0.2, 0.5]),
  };
}

/** Half of the frameworks with executors of their own have them on drivers. */
function withDrivers(random: SimRandom, plan: FrameworkPlan): FrameworkPlan {
  if (!plan.kinds.includes('custom') || random.chance(0.5)) return plan;
  const isOnly = plan.kinds.length === 1 || random.chance(0.5);
  const kinds = plan.kinds.map((kind) => (kind === 'custom' ? 'driver' : kind));
  return { ...plan, kinds: isOnly ? kinds : [...plan.kinds, 'driver'] };
}

/** Their agents are killed when they say something to them, one right after the other or not, and they are. */
function driverFaults(random: SimRandom, span: number, machines: number): Fault[] {
  return Array.from({ length: random.below(6) }, (): Fault => {
    const [at, of] = [random.below(span), random.below(machines)];
    if (random.chance(0.2)) return { kind: 'crash-executor', at, of };
    if (random.chance(0.5)) return { kind: 'break-drivers', at, of };
    const nth = random.below(random.chance(0.5) ? 3 : 20);
    const forMs = spread(random, 10_000);
    return { kind: 'trap', at, forMs, of: 1 + of, point: random.pick(DRIVER_POINTS), nth };
  });
}

/** Beside the faults of the parts that it uses. `of`: the last host. */
function instanceFaults(random: SimRandom, span: number, of: number): Fault[] {
  return Array.from({ length: random.below(5) }, (): Fault => {
    const at = random.below(span);
    const forMs = spread(random, 30_000);
    if (random.chance(0.6)) return { kind: 'crash-instance', at, forMs };
    return { kind: random.pick(['partition', 'stall']), at, forMs, of };
  });
}

/** Beside the faults of the parts that they are. `of`: the last host, a second master. */
function electionFaults(random: SimRandom, span: number, of: number): Fault[] {
  return Array.from({ length: 1 + random.below(5) }, (): Fault => {
    const at = random.below(span);
    const forMs = spread(random, 30_000);
    const kinds = ['crash-master', 'crash-master', 'lose-registry', 'cut', 'trap'] as const;
    const kind = random.pick(kinds);
    if (kind === 'crash-master') return { kind, at, forMs };
    if (kind === 'trap') return { kind, at, forMs, of: 0, point: 'writing', nth: random.below(6) };
    if (kind === 'lose-registry') return { kind, at, forMs, of: random.below(2) };
    return { kind: random.pick(['partition', 'stall']), at, forMs, of: random.pick([0, of]) };
  });
}

/** Far from each other, or one right after the other. */
function diskErrors(random: SimRandom, span: number, machines: number): Fault[] {
  if (!random.chance(0.25)) return [];
  return Array.from({ length: 1 + random.below(4) }, (): Fault => {
    const [at, of] = [random.below(span), random.below(machines)];
    return { kind: 'disk-error', at, of, nth: random.below(random.chance(0.5) ? 3 : 20) };
  });
}

/**
 * A leader dies while it writes that an agent cannot be reached, which comes back to the next leader: what
 * arrives then is of one that leads no longer.
 */
function deposingFaults(random: SimRandom, machines: number): Fault[] {
  if (!random.chance(0.3)) return [];
  const at = random.below(FAULTS_MS - 60_000);
  const forMs = 16_000 + random.below(10_000);
  const trap = { kind: 'trap', of: 0, point: 'writing', nth: 0, forMs: 30_000 } as const;
  return [
    { kind: 'partition', at, forMs, of: 1 + random.below(machines) },
    { ...trap, at: at + 10_000 },
  ];
}

function providerPlans(random: SimRandom, count: number): (ProviderPlan | undefined)[] {
  const isThere = random.chance(0.3);
  return Array.from({ length: count }, () => {
    if (!isThere || random.chance(0.3)) return undefined;
    return { megabytes: 64 * (2 + random.below(6)), isApart: random.chance(0.5) };
  });
}

const PROVIDER_POINTS = ['keep', 'make', 'remove', 'call', 'publish'].flatMap((kind): Point[] => [
  `provider ${kind}`,
  `provider ${kind} done`,
]);

/** Beside the faults of the parts that they use. `firstHost`: that of the first machine's disks. */
function providerFaults(random: SimRandom, span: number, plan: Omit<Plan, 'faults'>): Fault[] {
  const { providers, machines, frameworks } = plan;
  if (providers.every((one) => one === undefined)) return [];
  const isResizing = random.chance(0.3);
  const firstHost = 3 + machines.length + frameworks.length;
  return Array.from({ length: random.below(8) }, (): Fault => {
    const at = random.below(span);
    const forMs = spread(random, 30_000);
    const of = random.below(machines.length);
    if (random.chance(0.4)) {
      const megabytes = isResizing ? 64 * (1 + random.below(8)) : undefined;
      return { kind: 'crash-provider', at, forMs, of, megabytes };
    }
    if (random.chance(0.4)) {
      const kind = random.pick(['partition', 'stall'] as const);
      return { kind, at, forMs, of: firstHost + of };
    }
    const [point, nth] = [random.pick(PROVIDER_POINTS), random.below(6)];
    return { kind: 'trap', at, forMs, of: 1 + of, point, nth };
  });
}

const MACHINES = [
  'cpus:4;mem:4096;disk:4096',
  'cpus:8;mem:2048;disk:4096',
  'cpus:2;mem:8192;disk:4096',
];

export function planOf(seed: number): Plan {
  const random = new SimRandom(seed).child('plan');
  const machines = Array.from({ length: 1 + random.below(4) }, () => random.pick(MACHINES));
  const count = 1 + random.below(3);
  const drivers = new SimRandom(seed).child('drivers');
  const plainFrameworks = Array.from({ length: count }, (_, i) =>
    withDrivers(drivers, frameworkPlan(random, i)),
  );
  const faultCount = random.chance(0.1) ? 0 : random.below(random.chance(0.2) ? 40 : 10);
  // Some faults far apart, or so dense that one meets the repair of another.
  const span = random.pick([15_000, 60_000, FAULTS_MS]);
  const faults = Array.from({ length: faultCount }, () =>
    fault(random, span, machines.length, count),
  );
  const roles = plainFrameworks.map(({ role }) => role);
  const acts = [
    ...operatorActs(new SimRandom(seed).child('operator'), machines),
    ...moreActs(new SimRandom(seed).child('more acts'), machines, roles),
  ].toSorted((a, b) => a.at - b.at);
  const instance = instancePlan(new SimRandom(seed).child('instance'));
  if (instance !== undefined) {
    const of = 1 + machines.length + count;
    faults.push(...instanceFaults(new SimRandom(seed).child('instance faults'), span, of));
  }
  const election = new SimRandom(seed).child('election');
  const masters = election.chance(0.25) ? 2 : 1;
  if (masters > 1) {
    faults.push(...electionFaults(election, span, 2 + machines.length + count));
    faults.push(...deposingFaults(new SimRandom(seed).child('deposing'), machines.length));
  }
  faults.push(...diskErrors(new SimRandom(seed).child('disk errors'), span, machines.length));
  if (plainFrameworks.some(({ kinds }) => kinds.includes('driver'))) {
    faults.push(...driverFaults(drivers, span, machines.length));
  }
  const isEncoded = random.chance(0.1);
  const twiceChance = new SimRandom(seed).child('twice').pick([0, 0, 0, 0.05, 0.3]);
  const disks = new SimRandom(seed).child('providers');
  const providers = providerPlans(disks, machines.length);
  const hasDisks = providers.some((one) => one !== undefined);
  const frameworks = plainFrameworks.map((one) => ({
    ...one,
    diskChance: hasDisks ? disks.pick([0, 0.3, 0.8]) : 0,
  }));
  const parts = { seed, masters, machines, frameworks, acts, instance, providers } as const;
  const plan = { ...parts, twiceChance, isEncoded };
  return { ...plan, faults: [...faults, ...providerFaults(disks, span, plan)] };
}

/**
 * No faults; frameworks of weighted roles that always want more than there is. Their tasks fill a
 * machine in both resources, so that no fragment of an offer is held by one that cannot use it.
 */
export function fairnessPlanOf(seed: number): Plan {
  const random = new SimRandom(seed).child('fairness');
  const count = 2 + random.below(3);
  const frameworks = Array.from({ length: count }, (_, i): FrameworkPlan => ({
    name: `f${i + 1}`,
    role: `r${i + 1}`,
    weight: random.pick([1, 1, 2, 3]),
    isPartitionAware: true,
    isCheckpointing: true,
    works: Infinity,
    concurrencyMax: Infinity,
    kinds: ['command'],
    taskMsMax: 10_000,
    sizes: ['cpus:1;mem:1024'],
    refuseSeconds: [5],
    killChance: 0,
    failChance: 0,
    isRequesting: false,
    holdChance: 0,
    repeatChance: 0,
    greedChance: 0,
    end: 'stays',
    isReserving: false,
    operateChance: 0,
    feedbackChance: 0,
    diskChance: 0,
    isCleaning: false,
  }));
  const machines = Array.from({ length: 4 }, () => 'cpus:8;mem:8192');
  return {
    seed,
    masters: 1,
    machines,
    frameworks,
    faults: [],
    acts: [],
    instance: undefined,
    providers: [],
    twiceChance: 0,
    isEncoded: false,
  };
}
