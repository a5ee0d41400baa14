// The published figures of dominant resource fairness (Ghodsi et al., NSDI 2011), recomputed by the
// allocator that is in use, and the properties that the paper proves, up to one task.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseResources } from '#mesos/resources/parse.ts';
import { Resources } from '#mesos/resources/resources.ts';
import { AllocatorCore, type Allocation } from './allocator-core.ts';

interface Amounts {
  readonly cpus: number;
  readonly mem: number;
}

function bag({ cpus, mem }: Amounts): Resources {
  return Resources.of(parseResources(`cpus:${cpus};mem:${mem}`));
}

interface Filled {
  /** Who was given a task, in order. */
  readonly order: string[];
  readonly tasks: Record<string, number>;
  /** Dominant share of every framework after each task. */
  readonly shares: Record<string, number>[];
}

/**
 * Frameworks that take one task from each offer and give the rest back, until nothing fits. Those that
 * ask say with REQUEST that they want so many tasks, and are offered no more than fit.
 */
function fill(
  total: Amounts,
  needs: Readonly<Record<string, Amounts>>,
  asking: readonly string[] = [],
): Filled {
  const allocator = new AllocatorCore({ minimums: [] });
  allocator.addAgent('agent', bag(total));
  const tasks: Record<string, number> = {};
  const ask = (id: string): void => {
    const resources = bag(needs[id] as Amounts).toWire();
    allocator.setWishes(
      id,
      Array.from({ length: 100 }, () => ({ agentId: undefined, resources })),
    );
  };
  for (const id of Object.keys(needs)) {
    tasks[id] = 0;
    const settings = { suppressedRoles: [], isRevocable: false, isGpuAware: false };
    allocator.addFramework(id, { roles: [`role-${id}`], ...settings });
    if (asking.includes(id)) ask(id);
  }
  const order: string[] = [];
  const shares: Record<string, number>[] = [];
  const take = (offer: Allocation): void => {
    const { frameworkId, agentId, resources, role } = offer;
    const task = bag(needs[frameworkId] as Amounts).allocatedTo(role);
    const isTaken = resources.contains(task);
    // What is too little now is not asked about again, but for more.
    const refusal = { refuseMs: isTaken ? 0 : 1e9, now: 0 };
    allocator.recover(
      frameworkId,
      agentId,
      isTaken ? resources.subtract(task) : resources,
      refusal,
    );
    if (!isTaken) return;
    order.push(frameworkId);
    if (asking.includes(frameworkId)) ask(frameworkId);
    tasks[frameworkId] = (tasks[frameworkId] ?? 0) + 1;
    const ids = Object.keys(needs);
    shares.push(Object.fromEntries(ids.map((id) => [id, allocator.dominantShare(`role-${id}`)])));
  };
  for (let now = 0; ; now++) {
    const offers = allocator.allocate(now);
    if (offers.length === 0) return { order, tasks, shares };
    for (const offer of offers) take(offer);
  }
}

const GB = 1024;

test('table 1: 9 CPUs and 18 GB, A wants <1, 4 GB>, B wants <3, 1 GB>: B A A B A', () => {
  // Both begin with nothing, and the names decide who goes first.
  const needs = { B: { cpus: 3, mem: GB }, a: { cpus: 1, mem: 4 * GB } };
  const { order, tasks, shares } = fill({ cpus: 9, mem: 18 * GB }, needs);
  assert.deepEqual(order, ['B', 'a', 'a', 'B', 'a']);
  assert.deepEqual(tasks, { B: 2, a: 3 });
  const table = [
    { B: 1 / 3, a: 0 },
    { B: 1 / 3, a: 2 / 9 },
    { B: 1 / 3, a: 4 / 9 },
    { B: 2 / 3, a: 4 / 9 },
    { B: 2 / 3, a: 2 / 3 },
  ];
  for (const [i, row] of table.entries()) {
    for (const id of ['B', 'a'] as const) {
      assert.ok(Math.abs((shares[i]?.[id] ?? -1) - row[id]) < 1e-9, `${id} after ${i + 1}`);
    }
  }
});

test('30 CPUs and 30 GB, <1, 3> and <1, 1>: 5 and 15 tasks, where asset fairness gives 6 and 12', () => {
  const needs = { d1: { cpus: 1, mem: 3 * GB }, d2: { cpus: 1, mem: GB } };
  const { tasks } = fill({ cpus: 30, mem: 30 * GB }, needs);
  assert.deepEqual(tasks, { d1: 5, d2: 15 });
  // Asset fairness: equal sums of shares, 4x = 2y, until memory ends: 3x + y = 30.
  const x = 30 / 5;
  assert.deepEqual([x, 2 * x], [6, 12]);
  assert.ok(2 * x < 15, 'the second would do better with half of everything for itself');
});

test('the same example in a hundredth of the grain: the continuous solution, 3 and 2', () => {
  const needs = { A: { cpus: 0.01, mem: 40 }, B: { cpus: 0.03, mem: 10 } };
  const { tasks } = fill({ cpus: 9, mem: 18_000 }, needs);
  assert.ok(Math.abs((tasks['A'] ?? 0) / 100 - 3) <= 0.011, `${tasks['A']}`);
  assert.ok(Math.abs((tasks['B'] ?? 0) / 100 - 2) <= 0.011, `${tasks['B']}`);
});

// ---- what the paper proves, with tasks that cannot be divided

const need = fc.record({
  cpus: fc.integer({ min: 1, max: 8 }),
  mem: fc.integer({ min: 1, max: 8 }).map((n) => n * 64),
});
const needsOf = fc.array(need, { minLength: 2, maxLength: 4 });
const TOTAL = { cpus: 100, mem: 6_400 };

function named(needs: readonly Amounts[]): Record<string, Amounts> {
  return Object.fromEntries(needs.map((one, i) => [`f${i}`, one]));
}

function tasksIn({ cpus, mem }: Amounts, want: Amounts): number {
  return Math.floor(Math.min(cpus / want.cpus, mem / want.mem));
}

function assertIncentive(needs: readonly Amounts[], tasks: Readonly<Record<string, number>>): void {
  const part = { cpus: TOTAL.cpus / needs.length, mem: TOTAL.mem / needs.length };
  for (const [i, want] of needs.entries()) {
    const others = needs.filter((_, j) => j !== i);
    const grain = (name: 'cpus' | 'mem') => others.reduce((sum, one) => sum + one[name], 0);
    const sure = { cpus: part.cpus - grain('cpus'), mem: part.mem - grain('mem') };
    assert.ok((tasks[`f${i}`] ?? 0) >= tasksIn(sure, want) - 1, `f${i}`);
  }
}

test('sharing incentive: nobody does better with an n-th of everything, up to a task of each', () => {
  fc.assert(
    fc.property(needsOf, (needs) => assertIncentive(needs, fill(TOTAL, named(needs)).tasks)),
    { numRuns: 60 },
  );
});

test('no envy: nobody does better with what another one holds, up to a task of each', () => {
  fc.assert(
    fc.property(needsOf, (needs) => {
      const { tasks } = fill(TOTAL, named(needs));
      for (const [i, want] of needs.entries()) {
        for (const [j, other] of needs.entries()) {
          const count = Math.max(0, (tasks[`f${j}`] ?? 0) - 1);
          const held = { cpus: other.cpus * count, mem: other.mem * count };
          assert.ok((tasks[`f${i}`] ?? 0) >= tasksIn(held, want) - 1, `f${i} envies f${j}`);
        }
      }
    }),
    { numRuns: 60 },
  );
});

test('nothing is left that anybody could use (Pareto efficiency)', () => {
  fc.assert(
    fc.property(needsOf, (needs) => {
      const { tasks } = fill(TOTAL, named(needs));
      const used = (name: 'cpus' | 'mem') =>
        needs.reduce((sum, one, i) => sum + one[name] * (tasks[`f${i}`] ?? 0), 0);
      const left = { cpus: TOTAL.cpus - used('cpus'), mem: TOTAL.mem - used('mem') };
      for (const want of needs) assert.equal(tasksIn(left, want), 0);
    }),
    { numRuns: 60 },
  );
});

test('lying does not pay: who says it needs more runs no more tasks, up to one', () => {
  fc.assert(
    fc.property(needsOf, fc.nat(3), fc.nat(3), (needs, cpus, mem) => {
      const [truth] = needs;
      if (truth === undefined) return;
      const lie = { cpus: truth.cpus + cpus, mem: truth.mem + mem * 64 };
      const honest = fill(TOTAL, named(needs)).tasks['f0'] ?? 0;
      const lied = fill(TOTAL, named([lie, ...needs.slice(1)])).tasks['f0'] ?? 0;
      assert.ok(lied <= honest + 1, `${lied} instead of ${honest}`);
    }),
    { numRuns: 60 },
  );
});

test('who asks by REQUEST, and who does not, have their n-th all the same', () => {
  fc.assert(
    fc.property(needsOf, fc.integer({ min: 1, max: 15 }), (needs, who) => {
      const asking = needs.flatMap((_, i) => ((who >> i) & 1 ? [`f${i}`] : []));
      const { tasks } = fill(TOTAL, named(needs), asking);
      assertIncentive(needs, tasks);
    }),
    { numRuns: 60 },
  );
});
