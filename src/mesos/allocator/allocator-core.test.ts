// The allocator against a naive twin, and in short stories. Published figures: drf.test.ts; the rules of
// Mesos: mesos-rules.test.ts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseResources } from '#mesos/resources/parse.ts';
import { Resources } from '#mesos/resources/resources.ts';
import { AllocatorCore, type Allocation, type FrameworkSettings } from './allocator-core.ts';

const bag = (text: string): Resources => Resources.of(parseResources(text));

function settings(roles: readonly string[]): FrameworkSettings {
  return { roles, suppressedRoles: [], isRevocable: false, isGpuAware: false };
}

test('allocate() lets a role of twice the weight hold twice as much', () => {
  const allocator = new AllocatorCore();
  allocator.setWeight('heavy', 2);
  allocator.addFramework('h', settings(['heavy']));
  allocator.addFramework('l', settings(['light']));
  const held = { h: 0, l: 0 };
  for (let i = 0; i < 30; i++) allocator.addAgent(`a${i}`, bag('cpus:1;mem:1024'));
  for (const { frameworkId } of allocator.allocate(0)) held[frameworkId as 'h' | 'l'] += 1;
  assert.deepEqual(held, { h: 20, l: 10 });
});

test('allocate() shares between siblings first, then among their children', () => {
  const allocator = new AllocatorCore();
  for (const role of ['a/x', 'a/y', 'b']) allocator.addFramework(role, settings([role]));
  for (let i = 0; i < 12; i++) allocator.addAgent(`n${i}`, bag('cpus:1;mem:1024'));
  const counts = Map.groupBy(allocator.allocate(0), ({ role }) => role);
  const sizes = [...counts].map(([role, list]) => [role, list.length]).toSorted();
  assert.deepEqual(sizes, [
    ['a/x', 3],
    ['a/y', 3],
    ['b', 6],
  ]);
});

test('setWishes() gives right-sized offers on the agents that were named, each wish once', () => {
  const allocator = new AllocatorCore();
  allocator.addAgent('a1', bag('cpus:4;mem:4096;ports:[1-9]'));
  allocator.addAgent('a2', bag('cpus:4;mem:4096'));
  allocator.addFramework('f', { ...settings(['r']), suppressedRoles: ['r'] });
  assert.deepEqual(allocator.allocate(0), []);
  allocator.setWishes('f', [
    { agentId: 'a1', resources: parseResources('cpus:1;mem:512;ports:[3-4]') },
    { agentId: 'a2', resources: parseResources('cpus:9') },
  ]);
  allocator.revive('f', []);
  const given = allocator.allocate(0);
  assert.deepEqual(
    given.map(({ agentId }) => agentId),
    ['a1'],
  );
  assert.ok(given[0]?.resources.equals(bag('cpus:1;mem:512;ports:[3-4]').allocatedTo('r')));
  allocator.revive('f', []);
  assert.deepEqual(allocator.allocate(0), []);
  allocator.setWishes('f', []);
  assert.equal(allocator.allocate(0).length, 2);
});

// ---- the twin: one agent after the other, every framework asked anew, no caches ----

interface TwinFramework {
  readonly id: string;
  readonly role: string;
  isSuppressed: boolean;
  readonly refused: { agent: string; until: number; what: Resources }[];
}

class Twin {
  readonly agents = new Map<string, { total: Resources; used: Resources }>();
  readonly frameworks = new Map<string, TwinFramework>();

  /** Whether the framework would have to be offered something on the agent now. */
  wants(id: string, agent: string, now: number): boolean {
    const framework = this.frameworks.get(id);
    const node = this.agents.get(agent);
    if (framework === undefined || node === undefined || framework.isSuppressed) return false;
    const free = node.total.subtract(node.used);
    if (free.scalar('cpus') < 0.01 && free.scalar('mem') < 32) return false;
    return !framework.refused.some(
      (one) => one.agent === agent && one.until > now && one.what.contains(free),
    );
  }
}

type Step =
  | { readonly kind: 'add-agent' | 'remove-agent'; readonly agent: number; readonly cpus: number }
  | { readonly kind: 'add' | 'remove' | 'revive' | 'suppress'; readonly framework: number }
  | {
      readonly kind: 'decline' | 'launch' | 'finish';
      readonly pick: number;
      readonly refuseMs: number;
    }
  | { readonly kind: 'wait'; readonly ms: number };

const agentOf = fc.nat(3);
const steps = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constantFrom('add-agent' as const, 'remove-agent' as const),
      agent: agentOf,
      cpus: fc.integer({ min: 1, max: 4 }),
    }),
    fc.record({
      kind: fc.constantFrom('add' as const, 'add' as const, 'remove' as const),
      framework: fc.nat(4),
    }),
    fc.record({
      kind: fc.constantFrom('revive' as const, 'suppress' as const),
      framework: fc.nat(4),
    }),
    fc.record({
      kind: fc.constantFrom('decline' as const, 'launch' as const, 'finish' as const),
      pick: fc.nat(9),
      refuseMs: fc.constantFrom(0, 1_000, 5_000),
    }),
    fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 6_000 }) }),
  ),
  { maxLength: 60 },
);

class World {
  readonly allocator = new AllocatorCore();
  readonly twin = new Twin();
  now = 0;
  offers: Allocation[] = [];
  tasks: Allocation[] = [];

  play(step: Step): void {
    switch (step.kind) {
      case 'add-agent':
      case 'remove-agent':
        this.#agent(step.kind, `a${step.agent}`, step.cpus);
        break;
      case 'decline':
      case 'launch':
      case 'finish':
        this.#outcome(step.kind, step.pick, step.refuseMs);
        break;
      case 'wait':
        this.now += step.ms;
        this.allocator.expireFilters(this.now);
        break;
      default:
        this.#framework(step.kind, `f${step.framework}`, ['r', 'r/c', 's'][step.framework % 3]);
    }
    this.#allocate();
  }

  #agent(kind: 'add-agent' | 'remove-agent', id: string, cpus: number): void {
    const { twin, allocator } = this;
    if (kind === 'add-agent' && !twin.agents.has(id)) {
      const total = bag(`cpus:${cpus};mem:${cpus * 100};ports:[1-${cpus}]`);
      twin.agents.set(id, { total, used: Resources.none });
      allocator.addAgent(id, total);
    }
    if (kind === 'remove-agent' && twin.agents.delete(id)) {
      for (const one of [...this.offers, ...this.tasks]) {
        if (one.agentId === id) allocator.recover(one.frameworkId, id, one.resources);
      }
      this.offers = this.offers.filter(({ agentId }) => agentId !== id);
      this.tasks = this.tasks.filter(({ agentId }) => agentId !== id);
      allocator.removeAgent(id);
      for (const { refused } of twin.frameworks.values()) {
        refused.splice(0, refused.length, ...refused.filter(({ agent }) => agent !== id));
      }
    }
  }

  #framework(kind: 'add' | 'remove' | 'revive' | 'suppress', id: string, role = 'r'): void {
    const { twin, allocator } = this;
    const known = twin.frameworks.get(id);
    if (kind === 'add' && known === undefined) {
      twin.frameworks.set(id, { id, role, isSuppressed: false, refused: [] });
      allocator.addFramework(id, settings([role]));
    }
    if (known === undefined) return;
    if (kind === 'remove') {
      for (const one of [...this.offers, ...this.tasks]) {
        if (one.frameworkId === id) this.#giveBack(one);
      }
      this.offers = this.offers.filter(({ frameworkId }) => frameworkId !== id);
      this.tasks = this.tasks.filter(({ frameworkId }) => frameworkId !== id);
      twin.frameworks.delete(id);
      allocator.removeFramework(id);
    } else if (kind === 'revive') {
      known.isSuppressed = false;
      known.refused.length = 0;
      allocator.revive(id, []);
    } else if (kind === 'suppress') {
      known.isSuppressed = true;
      allocator.suppress(id, []);
    }
  }

  #giveBack(one: Allocation, refuseMs = 0): void {
    const node = this.twin.agents.get(one.agentId);
    const what = one.resources.allocatedTo(undefined);
    if (node !== undefined) node.used = node.used.subtract(what);
    const refusal = { refuseMs, now: this.now };
    this.allocator.recover(one.frameworkId, one.agentId, one.resources, refusal);
    if (refuseMs === 0) return;
    const refused = this.twin.frameworks.get(one.frameworkId)?.refused;
    refused?.push({ agent: one.agentId, until: this.now + refuseMs, what });
  }

  #outcome(kind: 'decline' | 'launch' | 'finish', pick: number, refuseMs: number): void {
    const list = kind === 'finish' ? this.tasks : this.offers;
    const [one] = list.splice(pick % Math.max(1, list.length), 1);
    if (one === undefined) return;
    if (kind !== 'launch') {
      this.#giveBack(one, refuseMs);
      return;
    }
    const task = bag('cpus:0.5;mem:50;ports:[1-1]').allocatedTo(one.role);
    if (!one.resources.contains(task)) this.#giveBack(one, refuseMs);
    else {
      this.tasks.push({ ...one, resources: task });
      this.#giveBack({ ...one, resources: one.resources.subtract(task) }, refuseMs);
    }
  }

  #allocate(): void {
    const given = this.allocator.isDirty ? this.allocator.allocate(this.now) : [];
    for (const one of given) {
      const node = this.twin.agents.get(one.agentId);
      assert.ok(node !== undefined, 'offered an agent that is not there');
      assert.ok(this.twin.wants(one.frameworkId, one.agentId, this.now), 'offered the unwilling');
      const what = one.resources.allocatedTo(undefined);
      assert.ok(node.total.subtract(node.used).contains(what), 'offered what is not free');
      node.used = node.used.add(what);
    }
    this.offers.push(...given);
    // Nobody who would take something is left without while it is there.
    for (const framework of this.twin.frameworks.keys()) {
      for (const agent of this.twin.agents.keys()) {
        assert.ok(!this.twin.wants(framework, agent, this.now), `${framework} misses ${agent}`);
      }
    }
    for (const [id, { total, used }] of this.twin.agents) {
      assert.ok(this.allocator.available(id).equals(total.subtract(used)), `${id} disagrees`);
    }
  }
}

test('AllocatorCore offers exactly what a naive twin would, whatever happens', () => {
  fc.assert(
    fc.property(steps, (story) => {
      const world = new World();
      for (const step of story) world.play(step);
    }),
    { numRuns: 2_000 },
  );
});

test('allocate() in small steps gives the same as at once, also to one who comes in the middle', () => {
  const agents = Array.from({ length: 50 }, (_, i) => `a${i}`);
  const start = (): AllocatorCore => {
    const allocator = new AllocatorCore();
    allocator.addFramework('f', settings(['f']));
    for (const id of agents) allocator.addAgent(id, bag('cpus:4;mem:4096'));
    return allocator;
  };
  const stepped = start();
  const given: Allocation[] = [];
  while (stepped.isDirty) given.push(...stepped.allocate(0, 7));
  assert.deepEqual(given, start().allocate(0));
  // All is declined for long; two newcomers are offered what is free, the second one from half way.
  for (const { agentId, resources } of given) {
    stepped.recover('f', agentId, resources, { refuseMs: 1e6, now: 0 });
  }
  while (stepped.isDirty) assert.deepEqual(stepped.allocate(0, 7), []);
  stepped.addFramework('g', settings(['g']));
  const first = stepped.allocate(0, 20);
  stepped.addFramework('h', settings(['h']));
  const rest: Allocation[] = [];
  while (stepped.isDirty) rest.push(...stepped.allocate(0, 20));
  assert.equal(first.length, 20);
  const seen = [...first, ...rest].map(({ agentId }) => agentId);
  assert.deepEqual(seen.toSorted(), agents.toSorted());
});
