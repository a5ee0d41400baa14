// "Why no offer", asked in every situation that has an answer of its own; and what it says is true:
// after an allocation nobody is told that nothing stands in the way.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseResources } from '#mesos/resources/parse.ts';
import { Resources } from '#mesos/resources/resources.ts';
import { AllocatorCore, type FrameworkSettings } from './allocator-core.ts';
import type { Denial } from './decisions.ts';

const bag = (text: string): Resources => Resources.of(parseResources(text));
const milli = (amounts: Record<string, number>) =>
  new Map(Object.entries(amounts).map(([name, value]) => [name, value * 1_000]));

function settings(role: string, more: Partial<FrameworkSettings> = {}): FrameworkSettings {
  return { roles: [role], suppressedRoles: [], isRevocable: false, isGpuAware: false, ...more };
}

interface Case {
  readonly reason: Denial | 'would-be-offered';
  readonly make: (allocator: AllocatorCore) => void;
}

const agent = (allocator: AllocatorCore, total = 'cpus:4;mem:1024'): void =>
  allocator.addAgent('a', bag(total));
const facts = { hostname: 'h', isMultiRole: true, isHierarchical: true };

const cases: readonly Case[] = [
  { reason: 'would-be-offered', make: (it) => (agent(it), it.addFramework('f', settings('r'))) },
  {
    reason: 'suppressed-or-inactive',
    make: (it) => (agent(it), it.addFramework('f', settings('r', { suppressedRoles: ['r'] }))),
  },
  {
    reason: 'agent-inactive',
    make: (it) => {
      agent(it);
      it.setAgentActive('a', false);
      it.addFramework('f', settings('r'));
    },
  },
  {
    reason: 'nothing-free',
    make: (it) => {
      agent(it);
      it.addFramework('f', settings('r'));
      it.allocate(0);
    },
  },
  {
    reason: 'too-little',
    make: (it) => (agent(it, 'cpus:0.001;mem:1'), it.addFramework('f', settings('r'))),
  },
  {
    reason: 'too-little',
    make: (it) => (agent(it, 'cpus(other):4'), it.addFramework('f', settings('r'))),
  },
  {
    reason: 'gpus',
    make: (it) => (agent(it, 'cpus:4;gpus:1'), it.addFramework('f', settings('r'))),
  },
  {
    reason: 'constraints',
    make: (it) => {
      agent(it);
      it.addFramework('f', settings('r', { conditions: new Map([['r', () => false]]) }));
    },
  },
  {
    reason: 'filtered',
    make: (it) => {
      agent(it);
      it.addFramework('f', settings('r'));
      const [offer] = it.allocate(0);
      if (offer !== undefined) it.recover('f', 'a', offer.resources, { refuseMs: 5_000, now: 0 });
    },
  },
  {
    reason: 'quota-limit',
    make: (it) => {
      agent(it, 'cpus:4');
      it.setQuota('r', { guarantees: new Map(), limits: milli({ cpus: 0 }) });
      it.addFramework('f', settings('r'));
    },
  },
  {
    reason: 'quota-headroom',
    make: (it) => {
      agent(it, 'cpus:4');
      it.setQuota('g', { guarantees: milli({ cpus: 4 }), limits: new Map() });
      it.addFramework('f', settings('r'));
    },
  },
  {
    reason: 'would-be-offered',
    make: (it) => {
      agent(it, 'cpus:4');
      it.setQuota('r', { guarantees: milli({ cpus: 4 }), limits: new Map() });
      it.setQuota('g', { guarantees: milli({ cpus: 4 }), limits: new Map() });
      it.addFramework('f', settings('r'));
    },
  },
  {
    reason: 'agent-not-multi-role',
    make: (it) => {
      it.addAgent('a', bag('cpus:4'), { ...facts, isMultiRole: false });
      it.addFramework('f', settings('r', { isMultiRole: true }));
    },
  },
  {
    reason: 'no-wish-fits',
    make: (it) => {
      agent(it);
      it.addFramework('f', settings('r'));
      it.setWishes('f', [{ agentId: undefined, resources: parseResources('cpus:9') }]);
    },
  },
];

for (const [i, { reason, make }] of cases.entries()) {
  test(`explain() says ${reason} (${i})`, () => {
    const allocator = new AllocatorCore();
    make(allocator);
    const explanation = allocator.explain('f', 'r', 1_000);
    assert.deepEqual(explanation?.agents.byReason, { [reason]: 1 });
    const [offer] = allocator.isDirty ? allocator.allocate(1_000) : [];
    assert.equal(offer !== undefined, reason === 'would-be-offered', 'and so it is');
  });
}

test('explain() names regions and roles below others', () => {
  const allocator = new AllocatorCore({ region: 'here' });
  const domain = { fault_domain: { region: { name: 'there' }, zone: { name: 'z' } } };
  allocator.addAgent('far', bag('cpus:4'), { ...facts, domain });
  allocator.addAgent('old', bag('cpus:4'), { ...facts, isHierarchical: false });
  allocator.addFramework('f', settings('r/s'));
  assert.deepEqual(allocator.explain('f', 'r/s', 0)?.agents.byReason, {
    'other-region': 1,
    'agent-not-hierarchical': 1,
  });
  assert.equal(allocator.explain('f', 'r', 0), undefined);
  assert.equal(allocator.explain('g', 'r/s', 0), undefined);
});

test('explain() shows the place in the order, quota, and when filters end', () => {
  const allocator = new AllocatorCore();
  for (const id of ['a1', 'a2']) allocator.addAgent(id, bag('cpus:4;mem:1024'));
  allocator.setWeight('r', 2);
  allocator.setQuota('r', { guarantees: new Map(), limits: milli({ cpus: 9 }) });
  allocator.addFramework('f', settings('r/x'));
  allocator.addFramework('g', settings('s', { suppressedRoles: ['s'] }));
  const given = allocator.allocate(0);
  assert.equal(given.length, 2);
  const [first, second] = given;
  for (const [one, refuseMs] of [
    [first, 9_000],
    [second, 4_000],
  ] as const) {
    if (one === undefined) continue;
    allocator.recover('f', one.agentId, one.resources, { refuseMs, now: 0 });
  }
  allocator.revive('g', []);
  const [taken] = allocator.allocate(1_000).filter(({ agentId }) => agentId === 'a1');
  assert.equal(taken?.frameworkId, 'g');
  const found = allocator.explain('f', 'r/x', 1_000);
  assert.deepEqual(found?.agents.byReason, { 'nothing-free': 2 });
  const lost = allocator.explain('g', 's', 1_000);
  assert.equal(lost?.order.position, 2);
  assert.deepEqual(lost?.order.before, [{ frameworkId: 'f', role: 'r/x' }]);
  assert.deepEqual(
    found?.order.levels.map(({ path, position, siblings, weight }) => [
      path,
      position,
      siblings,
      weight,
    ]),
    [
      ['r', 1, 2, 2],
      ['r/x', 1, 1, 1],
      ['r/x/.', 1, 1, 1],
      ['f', 1, 1, 1],
    ],
  );
  for (const agentId of ['a1', 'a2']) {
    allocator.recover('g', agentId, bag('cpus:4;mem:1024').allocatedTo('s'));
  }
  allocator.suppress('g', []);
  const later = allocator.explain('f', 'r/x', 1_000);
  assert.deepEqual(later?.agents.byReason, { filtered: 2 });
  assert.deepEqual(later?.filters, { count: 2, nextEnd: 4_000 });
});

const step = fc.oneof(
  fc.record({ kind: fc.constant('agent' as const), n: fc.nat(3) }),
  fc.record({
    kind: fc.constantFrom('framework' as const, 'revive' as const, 'wish' as const),
    n: fc.nat(4),
  }),
  fc.record({ kind: fc.constantFrom('decline' as const, 'keep' as const), n: fc.nat(20) }),
  fc.record({ kind: fc.constant('quota' as const), n: fc.nat(5) }),
  fc.record({ kind: fc.constant('wait' as const), n: fc.integer({ min: 1, max: 9 }) }),
);

test('after an allocation nobody is told that nothing stands in the way', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const allocator = new AllocatorCore();
      const roles = ['r', 'r/x', 's'];
      const offers: { frameworkId: string; agentId: string; resources: Resources }[] = [];
      const frameworks = new Set<string>();
      const agents = new Set<string>();
      let now = 0;
      for (const { kind, n } of steps) {
        const role = roles[n % roles.length] ?? '';
        if (kind === 'agent' && !agents.has(`a${n}`)) {
          agents.add(`a${n}`);
          allocator.addAgent(`a${n}`, bag(`cpus:${n + 1};mem:64;cpus(s):1`));
        }
        if (kind === 'framework' && !frameworks.has(`f${n}`)) {
          frameworks.add(`f${n}`);
          allocator.addFramework(`f${n}`, settings(role));
        }
        if (kind === 'revive' && frameworks.has(`f${n}`)) allocator.revive(`f${n}`, []);
        if (kind === 'wish' && frameworks.has(`f${n}`)) {
          allocator.setWishes(`f${n}`, [
            { agentId: undefined, resources: parseResources('cpus:2') },
          ]);
        }
        if (kind === 'quota') {
          const quota = { guarantees: milli({ cpus: n % 3 }), limits: milli({ cpus: n }) };
          allocator.setQuota(role, n === 0 ? undefined : quota);
        }
        if (kind === 'wait') now += n * 1_000;
        if (kind === 'decline' || kind === 'keep') {
          const [one] = offers.splice(n % Math.max(1, offers.length), 1);
          if (one !== undefined && kind === 'decline') {
            const refusal = { refuseMs: n * 500, now };
            allocator.recover(one.frameworkId, one.agentId, one.resources, refusal);
          }
        }
        allocator.expireFilters(now);
        while (allocator.isDirty) offers.push(...allocator.allocate(now));
        for (const id of frameworks) {
          for (const [reason, count] of Object.entries(
            allocator.explain(id, allocator.rolesOf(id)[0] ?? '', now)?.agents.byReason ?? {},
          )) {
            assert.ok(reason !== 'would-be-offered', `${id}: ${count}`);
          }
        }
      }
    }),
    { numRuns: 500 },
  );
});
