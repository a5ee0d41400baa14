// The shapes of Mesos' own allocator benchmarks (inventory 5.4) on our allocator: what one decision
// costs. `node bench/micro/allocator.ts [AGENTS] [FRAMEWORKS]` prints milliseconds for each phase.
import {
  AllocatorCore,
  type Allocation,
  type FrameworkSettings,
} from '#mesos/allocator/allocator-core.ts';
import { parseResources } from '#mesos/resources/parse.ts';
import { Resources } from '#mesos/resources/resources.ts';

export interface Phase {
  readonly name: string;
  readonly ms: number;
  /** Offers that it made, or agents and frameworks that it added. */
  readonly count: number;
}

export interface Shape {
  readonly agents: number;
  readonly frameworks: number;
}

const bag = (text: string): Resources => Resources.of(parseResources(text));
const FOREVER_MS = 2 ** 31 * 1_000;
const AGENT = 'cpus:24;mem:4096;disk:4096;ports:[31000-32000]';

/** In use already on every agent: most of it, and every other one of some ports. */
function heldText(): string {
  const ports = Array.from({ length: 16 }, (_, i) => `${31_000 + 2 * i}-${31_000 + 2 * i}`);
  return `cpus:16;mem:2014;disk:1024;ports:[${ports.join()}]`;
}

function settings(role: string, more: Partial<FrameworkSettings> = {}): FrameworkSettings {
  return { roles: [role], suppressedRoles: [], isRevocable: false, isGpuAware: false, ...more };
}

class Run {
  readonly allocator: AllocatorCore;
  readonly phases: Phase[] = [];
  now = 0;

  constructor(options: ConstructorParameters<typeof AllocatorCore>[0] = {}) {
    this.allocator = new AllocatorCore(options);
  }

  phase<T>(name: string, act: () => T, countOf: (result: T) => number): T {
    const begin = performance.now();
    const result = act();
    this.phases.push({ name, ms: performance.now() - begin, count: countOf(result) });
    return result;
  }

  /** Until there is nothing left to give. */
  allocate(): Allocation[] {
    const given: Allocation[] = [];
    while (this.allocator.isDirty) given.push(...this.allocator.allocate(this.now));
    return given;
  }

  declineAll(offers: readonly Allocation[], refuseMs: number): void {
    for (const { frameworkId, agentId, resources } of offers) {
      this.allocator.recover(frameworkId, agentId, resources, { refuseMs, now: this.now });
    }
  }

  add({ agents, frameworks }: Shape, more: Partial<FrameworkSettings> = {}): void {
    this.phase(
      'add frameworks',
      () => {
        for (let i = 0; i < frameworks; i++)
          this.allocator.addFramework(`f${i}`, settings('*', more));
      },
      () => frameworks,
    );
    const [total, held] = [bag(AGENT), bag(heldText()).allocatedTo('*')];
    this.phase(
      'add agents',
      () => {
        for (let i = 0; i < agents; i++) {
          this.allocator.addAgent(`a${i}`, total);
          this.allocator.trackAllocated(`f${i % frameworks}`, `a${i}`, held);
        }
      },
      () => agents,
    );
  }
}

/** AddAndUpdateSlave: all agents are offered, then every one has oversubscribed resources too. */
function addAndUpdate(shape: Shape): Phase[] {
  const run = new Run();
  run.add(shape, { isRevocable: true });
  run.phase(
    'first offers',
    () => run.allocate(),
    (offers) => offers.length,
  );
  const more = bag(AGENT).add(Resources.of([revocable(10)]));
  run.phase(
    'update agents',
    () => {
      for (let i = 0; i < shape.agents; i++) run.allocator.updateAgent(`a${i}`, more);
      return run.allocate();
    },
    (offers) => offers.length,
  );
  return run.phases;
}

function revocable(value: number) {
  return { name: 'cpus', type: 'SCALAR' as const, scalar: { value }, revocable: {} };
}

/** DeclineOffers: everybody declines everything for ever, round after round. */
function declineOffers(shape: Shape): Phase[] {
  const run = new Run();
  run.add(shape);
  let offers = run.phase(
    'round 0',
    () => run.allocate(),
    (given) => given.length,
  );
  for (let round = 1; round <= Math.min(2 * shape.frameworks, 10); round++) {
    run.declineAll(offers, FOREVER_MS);
    run.now += 1_000;
    offers = run.phase(
      `round ${round}`,
      () => run.allocate(),
      (given) => given.length,
    );
  }
  return run.phases;
}

/** SuppressOffers, ExtremeSuppressOffers: nearly all are quiet, the rest decline. */
function suppressOffers(shape: Shape, part: number): Phase[] {
  const run = new Run();
  run.add(shape);
  const quiet = Math.floor(shape.frameworks * part);
  for (let i = 0; i < quiet; i++) run.allocator.suppress(`f${i}`, []);
  let offers = run.phase(
    'round 0',
    () => run.allocate(),
    (given) => given.length,
  );
  for (let round = 1; round <= 4; round++) {
    run.declineAll(offers, 0);
    offers = run.phase(
      `round ${round}`,
      () => run.allocate(),
      (given) => given.length,
    );
  }
  return run.phases;
}

/** MultiFrameworkAllocations: batch, service and build frameworks until all their tasks run. */
function multiFramework(): Phase[] {
  const run = new Run();
  for (let i = 0; i < 80; i++) run.allocator.addAgent(`a${i}`, bag('cpus:64;mem:488000'));
  const kinds = [
    {
      name: 'marathon',
      count: 4,
      role: 'm',
      tasks: 4_000,
      perOffer: 100,
      task: 'cpus:0.07;mem:400',
    },
    { name: 'jenkins', count: 500, role: 'j', tasks: 5, perOffer: 1, task: 'cpus:0.1;mem:4000' },
    { name: 'spark', count: 50, role: 's', tasks: 20, perOffer: 5, task: 'cpus:1;mem:1000' },
  ];
  const waiting = new Map<string, { left: number; kind: (typeof kinds)[number] }>();
  for (const kind of kinds) {
    for (let i = 0; i < kind.count; i++) {
      const id = `${kind.name}-${i}`;
      waiting.set(id, { left: kind.tasks, kind });
      run.allocator.addFramework(id, settings(kind.role));
    }
  }
  const launched = run.phase(
    'all tasks launched',
    () => {
      let count = 0;
      for (let i = 0; i < 100_000 && waiting.size > 0; i++) {
        const offers = run.allocate();
        for (const offer of offers) count += accept(run, offer, waiting.get(offer.frameworkId));
        for (const [id, { left }] of waiting) {
          if (left > 0) continue;
          waiting.delete(id);
          run.allocator.suppress(id, []);
        }
        run.now += 1_000;
        if (offers.length === 0 && run.allocator.expireFilters(run.now) === undefined) break;
      }
      return count;
    },
    (count) => count,
  );
  if (waiting.size > 0) throw new Error(`${waiting.size} frameworks wait; ${launched} launched`);
  return run.phases;
}

function accept(
  run: Run,
  { frameworkId, agentId, role, resources }: Allocation,
  want: { left: number; kind: { task: string; perOffer: number } } | undefined,
): number {
  let left = resources;
  let count = 0;
  const task = bag(want?.kind.task ?? 'cpus:1').allocatedTo(role);
  while (want !== undefined && want.left > 0 && count < want.kind.perOffer && left.contains(task)) {
    left = left.subtract(task);
    want.left--;
    count++;
  }
  run.allocator.recover(frameworkId, agentId, left, { refuseMs: 1_000, now: run.now });
  return count;
}

/** LargeAndSmallQuota: many small and some large quotas, one run and one with nothing to do. */
function quotas(shape: { small: number; large: number; agents: number }, sorter: 'drf' | 'random') {
  const run = new Run({ roleSorter: sorter, frameworkSorter: sorter });
  const milli = (n: number) =>
    new Map([
      ['cpus', n * 1_000],
      ['mem', n * 1_024_000],
      ['disk', n * 1_024_000],
    ]);
  for (let i = 0; i < shape.small + shape.large; i++) {
    const amounts = milli(i < shape.small ? 1 : 4);
    run.allocator.setQuota(`r${i}`, { guarantees: amounts, limits: amounts });
    run.allocator.addFramework(`f${i}`, settings(`r${i}`));
  }
  for (let i = 0; i < shape.agents; i++) {
    run.allocator.addAgent(`a${i}`, bag('cpus:2;mem:2048;disk:2048'));
  }
  run.phase(
    'with quota',
    () => run.allocate(),
    (offers) => offers.length,
  );
  run.phase(
    'with nothing to do',
    () => run.allocate(),
    (offers) => offers.length,
  );
  return run.phases;
}

/** NonQuotaVsQuota: the same roles, with and without. */
function nonQuotaVsQuota(roles: number, hasQuota: boolean): Phase[] {
  const run = new Run();
  for (let i = 0; i < roles; i++) {
    if (hasQuota) {
      const amounts = new Map([
        ['cpus', 2_000],
        ['mem', 2_048_000],
      ]);
      run.allocator.setQuota(`r${i}`, { guarantees: amounts, limits: amounts });
    }
    for (const one of ['x', 'y']) run.allocator.addFramework(`f${i}${one}`, settings(`r${i}`));
  }
  for (let i = 0; i < 2 * roles; i++) run.allocator.addAgent(`a${i}`, bag('cpus:2;mem:2048'));
  run.phase(
    'offers',
    () => run.allocate(),
    (offers) => offers.length,
  );
  return run.phases;
}

/** PersistentVolumes: a volume on every agent, its own or shared. */
function persistentVolumes(shape: Shape, isShared: boolean): Phase[] {
  const run = new Run();
  for (let i = 0; i < shape.frameworks; i++) {
    run.allocator.addFramework(`f${i}`, settings('r', { isShared: true }));
  }
  for (let i = 0; i < shape.agents; i++) {
    const volume = {
      name: 'disk',
      type: 'SCALAR' as const,
      scalar: { value: 64 },
      reservations: [{ type: 'DYNAMIC' as const, role: 'r' }],
      disk: {
        persistence: { id: `v${i}` },
        volume: { container_path: 'p', mode: 'RW' as const },
      },
      ...(isShared ? { shared: {} } : {}),
    };
    run.allocator.addAgent(`a${i}`, bag('cpus:24;mem:4096;disk:4032').add(Resources.of([volume])));
  }
  const offers = run.phase(
    'offers',
    () => run.allocate(),
    (given) => given.length,
  );
  run.declineAll(offers, FOREVER_MS);
  run.phase(
    'declined',
    () => run.allocate(),
    (given) => given.length,
  );
  return run.phases;
}

/** Every shape with its phases; the larger `shape` is, the nearer to the sizes of Mesos' own. */
export function measure(shape: Shape): { readonly shape: string; readonly phases: Phase[] }[] {
  const scale = Math.max(1, Math.floor(shape.agents / 1_000));
  const quotaShape = { small: 25 * scale, large: 5 * scale, agents: 30 * scale };
  return [
    { shape: 'MultiFrameworkAllocations', phases: multiFramework() },
    { shape: 'AddAndUpdateSlave', phases: addAndUpdate(shape) },
    { shape: 'DeclineOffers', phases: declineOffers(shape) },
    { shape: 'SuppressOffers (half)', phases: suppressOffers(shape, 0.5) },
    { shape: 'ExtremeSuppressOffers (99 %)', phases: suppressOffers(shape, 0.99) },
    { shape: 'PersistentVolumes REGULAR', phases: persistentVolumes(shape, false) },
    { shape: 'PersistentVolumes SHARED', phases: persistentVolumes(shape, true) },
    { shape: 'LargeAndSmallQuota drf', phases: quotas(quotaShape, 'drf') },
    { shape: 'LargeAndSmallQuota random', phases: quotas(quotaShape, 'random') },
    { shape: 'NonQuotaVsQuota without', phases: nonQuotaVsQuota(100 * scale, false) },
    { shape: 'NonQuotaVsQuota with', phases: nonQuotaVsQuota(100 * scale, true) },
  ];
}

if (import.meta.main) {
  const [agents = 1_000, frameworks = 200] = process.argv.slice(2).map(Number);
  for (const { shape, phases } of measure({ agents, frameworks })) {
    process.stdout.write(`${shape}\n`);
    for (const { name, ms, count } of phases) {
      process.stdout.write(`  ${name.padEnd(20)} ${ms.toFixed(1).padStart(10)} ms ${count}\n`);
    }
  }
}
