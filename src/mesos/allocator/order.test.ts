// Whoever is offered an agent is the first in the order of that moment who would take it, and nobody is left
// who would: against a twin that keeps no order, no index and no sum, and sorts everybody anew each time.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseResources } from '#mesos/resources/parse.ts';
import { Resources } from '#mesos/resources/resources.ts';
import { AllocatorCore, type Allocation } from './allocator-core.ts';

const ROLES = ['a', 'a/x', 'a/y', 'b', 'c'];
const NAMES = ['cpus', 'mem'];
const bag = (text: string): Resources => Resources.of(parseResources(text));
const TASK = bag('cpus:1;mem:64');

interface Held {
  readonly frameworkId: string;
  readonly role: string;
  readonly agentId: string;
  readonly resources: Resources;
}

interface Refusal extends Held {
  readonly until: number;
}

class Twin {
  readonly agents = new Map<string, Resources>();
  readonly frameworks = new Map<string, { readonly role: string; isSuppressed: boolean }>();
  readonly weights = new Map<string, number>();
  offers: Allocation[] = [];
  tasks: Held[] = [];
  refusals: Refusal[] = [];
  /** Framework, or role with a dot or without: how often it was given something. */
  readonly #counts = new Map<string, number>();

  free(agentId: string): Resources {
    let free = this.agents.get(agentId) ?? Resources.none;
    for (const one of [...this.offers, ...this.tasks]) {
      if (one.agentId === agentId) free = free.subtract(one.resources.allocatedTo(undefined));
    }
    return free;
  }

  /** Frameworks that would take what is free on the agent, the first in the order first. */
  takers(agentId: string): string[] {
    const free = this.free(agentId);
    if (free.scalar('cpus') < 0.01 && free.scalar('mem') < 32) return [];
    const takers = [...this.frameworks].filter(
      ([id, { isSuppressed }]) =>
        !isSuppressed &&
        !this.refusals.some(
          (one) =>
            one.frameworkId === id && one.agentId === agentId && one.resources.contains(free),
        ),
    );
    const keys = new Map(takers.map(([id, { role }]) => [id, this.#keys(id, role)]));
    return takers
      .map(([id]) => id)
      .toSorted((a, b) => compare(keys.get(a) ?? [], keys.get(b) ?? []));
  }

  give(offer: Allocation): void {
    this.offers.push(offer);
    const { frameworkId, role } = offer;
    const parts = role.split('/').map((_part, i, all) => all.slice(0, i + 1).join('/'));
    for (const key of [`${role}:${frameworkId}`, `${role}/.`, ...parts]) {
      this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    }
  }

  /** Share, count and name at every level, from the top role down. */
  #keys(id: string, role: string): [number, number, string][] {
    const parts = role.split('/').map((_part, i, all) => all.slice(0, i + 1).join('/'));
    const levels = parts.map((path): [number, number, string] => [
      this.#share((one) => one.role === path || one.role.startsWith(`${path}/`)) /
        (this.weights.get(path) ?? 1),
      this.#counts.get(path) ?? 0,
      path,
    ]);
    const leaf = `${role}/.`;
    const own = `${role}:${id}`;
    return [
      ...levels,
      [this.#share((one) => one.role === role), this.#counts.get(leaf) ?? 0, leaf],
      [
        this.#share((one) => one.role === role && one.frameworkId === id),
        this.#counts.get(own) ?? 0,
        id,
      ],
    ];
  }

  #share(isCounted: (one: Held) => boolean): number {
    const held = [...this.offers, ...this.tasks].filter(isCounted);
    const shares = NAMES.map((name) => {
      const milli = (bags: Iterable<Resources>): number =>
        [...bags].reduce((sum, one) => sum + Math.round(1_000 * one.scalar(name)), 0);
      const total = milli(this.agents.values());
      return total === 0 ? 0 : milli(held.map(({ resources }) => resources)) / total;
    });
    return Math.max(...shares);
  }
}

function compare(a: [number, number, string][], b: [number, number, string][]): number {
  for (const [i, [share, count, name]] of a.entries()) {
    const [otherShare, otherCount, otherName] = b[i] ?? [0, 0, ''];
    if (share !== otherShare) return share - otherShare;
    if (count !== otherCount) return count - otherCount;
    if (name !== otherName) return name < otherName ? -1 : 1;
  }
  return 0;
}

const step = fc.record({
  kind: fc.constantFrom('agent', 'framework', 'decline', 'launch', 'end', 'wait', 'wait', 'other'),
  pick: fc.nat(1_000),
  size: fc.integer({ min: 1, max: 4 }),
  refuseMs: fc.constantFrom(0, 50, 500),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** One history, both sides side by side. */
class History {
  readonly allocator = new AllocatorCore();
  readonly twin = new Twin();
  now = 0;
  given = 0;

  act({ kind, pick, size, refuseMs }: Step): void {
    const { allocator, twin } = this;
    const offer = twin.offers[pick % twin.offers.length];
    if (kind === 'agent' && twin.agents.size < 8) {
      const id = `agent-${twin.agents.size}`;
      twin.agents.set(id, bag(`cpus:${size};mem:${size * 128}`));
      allocator.addAgent(id, bag(`cpus:${size};mem:${size * 128}`));
    } else if (kind === 'framework' && twin.frameworks.size < 12) {
      const id = `f${twin.frameworks.size}`;
      const role = ROLES[pick % ROLES.length] ?? 'a';
      twin.frameworks.set(id, { role, isSuppressed: false });
      const settings = { suppressedRoles: [], isRevocable: false, isGpuAware: false };
      allocator.addFramework(id, { roles: [role], ...settings });
    } else if (kind === 'decline' && offer !== undefined) {
      // Many at once: all that the framework has.
      const mine = twin.offers.filter(({ frameworkId }) => frameworkId === offer.frameworkId);
      for (const one of mine) this.#answer(one, Resources.none, refuseMs);
    } else if (kind === 'launch' && offer?.resources.contains(TASK.allocatedTo(offer.role))) {
      this.#answer(offer, TASK.allocatedTo(offer.role), refuseMs);
    } else if (kind === 'end' && twin.tasks.length > 0) {
      const [task] = twin.tasks.splice(pick % twin.tasks.length, 1);
      if (task !== undefined) allocator.recover(task.frameworkId, task.agentId, task.resources);
    } else if (kind === 'wait') this.now += refuseMs;
    else if (kind === 'other') this.#change(pick, size);
  }

  #answer(offer: Allocation, kept: Resources, refuseMs: number): void {
    const { frameworkId, agentId, role, resources } = offer;
    this.twin.offers = this.twin.offers.filter((one) => one !== offer);
    const rest = kept.isEmpty ? resources : resources.subtract(kept);
    this.allocator.recover(frameworkId, agentId, rest, { refuseMs, now: this.now });
    if (!kept.isEmpty) this.twin.tasks.push({ frameworkId, role, agentId, resources: kept });
    if (refuseMs === 0 || rest.isEmpty) return;
    const refused = rest.allocatedTo(undefined);
    const until = this.now + refuseMs;
    this.twin.refusals.push({ frameworkId, role, agentId, resources: refused, until });
  }

  #change(pick: number, size: number): void {
    const { allocator, twin } = this;
    const id = `f${pick % Math.max(1, twin.frameworks.size)}`;
    const framework = twin.frameworks.get(id);
    if (framework === undefined) return;
    if (size === 1) {
      framework.isSuppressed = true;
      allocator.suppress(id, []);
    } else if (size === 2) {
      twin.weights.set(framework.role, 1 + (pick % 3));
      allocator.setWeight(framework.role, 1 + (pick % 3));
    } else {
      framework.isSuppressed = false;
      twin.refusals = twin.refusals.filter(({ frameworkId }) => frameworkId !== id);
      allocator.revive(id, []);
    }
  }

  allocate(portion: number): void {
    const { allocator, twin, now } = this;
    twin.refusals = twin.refusals.filter(({ until }) => until > now);
    do {
      for (const offer of allocator.allocate(now, portion)) {
        const [first] = twin.takers(offer.agentId);
        assert.equal(offer.frameworkId, first, `${offer.agentId} went to the wrong one`);
        const free = twin.free(offer.agentId);
        assert.ok(offer.resources.allocatedTo(undefined).equals(free), 'all that is free');
        twin.give(offer);
        this.given += 1;
      }
    } while (allocator.isMidway);
    for (const id of twin.agents.keys()) assert.deepEqual(twin.takers(id), [], `${id} is left`);
  }
}

test('offers go to the first in the order who would take them, and all that is wanted goes', () => {
  let given = 0;
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 20, maxLength: 80, size: 'max' }),
      fc.integer({ min: 1, max: 5 }),
      (all, portion) => {
        const history = new History();
        const begin = ['agent', 'framework', 'agent', 'framework', 'agent', 'framework'] as const;
        for (const [i, kind] of begin.entries())
          history.act({ kind, pick: i, size: 3, refuseMs: 0 });
        for (const one of all) {
          history.act(one);
          history.allocate(portion);
        }
        given += history.given;
      },
    ),
    { numRuns: 100 },
  );
  assert.ok(given > 1_000, `${given} offers`);
});
