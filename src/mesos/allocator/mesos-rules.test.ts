// The allocator's rules on shares, filters, agents and reservations: the situations and outcomes that
// Mesos 1.11's own allocator tests check; each story bears the name of the test there
// (docs/internals/mesos-tests.md).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AllocatorCore } from './allocator-core.ts';
import { bag, settings, story } from './story-fixture.ts';

// ---- fair shares

story(
  'UnreservedDRF',
  `agent a1 cpus:2;mem:1024
   framework f1 role1
   > f1 role1 a1 cpus:2;mem:1024
   framework f2 role2
   agent a2 cpus:1;mem:512
   > f2 role2 a2 cpus:1;mem:512
   agent a3 cpus:3;mem:2048
   > f2 role2 a3 cpus:3;mem:2048
   framework f3 role1
   agent a4 cpus:4;mem:4096
   > f3 role1 a4 cpus:4;mem:4096
   framework f4 role1
   agent a5 cpus:1;mem:512
   > f2 role2 a5 cpus:1;mem:512`,
);

story(
  'ReservedDRF: what is reserved counts for its role',
  `agent a1 cpus:1;mem:512;cpus(role1):100;mem(role1):1024
   framework f1 role1
   > f1 role1 a1 cpus:1;mem:512;cpus(role1):100;mem(role1):1024
   framework f2 role2
   agent a2 cpus:2;mem:512
   > f2 role2 a2 cpus:2;mem:512
   agent a3 cpus:2;mem:512
   > f2 role2 a3 cpus:2;mem:512
   framework f3 role1
   agent a4 cpus(role1):2;mem(role1):1024
   > f3 role1 a4 cpus(role1):2;mem(role1):1024`,
);

story(
  'DRFWithFairnessExclusion: one GPU of one is no share',
  `options excluded=gpus
   agent a1 cpus:2;mem:1024;gpus:1
   framework f1 role1 gpus
   > f1 role1 a1 cpus:2;mem:1024;gpus:1
   framework f2 role2
   agent a2 cpus:1;mem:512
   > f2 role2 a2 cpus:1;mem:512
   agent a3 cpus:3;mem:2048
   > f2 role2 a3 cpus:3;mem:2048
   framework f3 role1
   agent a4 cpus:4;mem:4096
   > f3 role1 a4 cpus:4;mem:4096
   framework f4 role1
   agent a5 cpus:1;mem:512
   > f2 role2 a5 cpus:1;mem:512`,
);

story(
  'NestedRoleDRF',
  `agent a1 cpus:2;mem:1024
   framework f1 a/b
   > f1 a/b a1 cpus:2;mem:1024
   framework f2 a/c
   framework f3 d/e
   agent a2 cpus:1;mem:512
   > f3 d/e a2 cpus:1;mem:512
   framework f4 d/f
   agent a3 cpus:2;mem:1024
   > f4 d/f a3 cpus:2;mem:1024`,
);

story(
  'CoarseGrained: all of an agent in one offer',
  `agent a1 cpus:2;mem:1024;ports:[1-9]
   framework f1 r
   framework f2 r
   > f1 r a1 cpus:2;mem:1024;ports:[1-9]`,
);

story(
  'UpdateWeight: twice the weight holds twice as much',
  `framework f1 role1 suppressed
   framework f2 role2 suppressed
   framework f3 role3 suppressed
   weight role2 2
   weight role3 3
   revive f1
   revive f2
   revive f3
   agent a1 cpus:2;mem:1024
   > f1 role1 a1 cpus:2;mem:1024
   agent a2 cpus:2;mem:1024
   > f2 role2 a2 cpus:2;mem:1024
   agent a3 cpus:2;mem:1024
   > f3 role3 a3 cpus:2;mem:1024
   agent a4 cpus:2;mem:1024
   > f3 role3 a4 cpus:2;mem:1024
   agent a5 cpus:2;mem:1024
   > f2 role2 a5 cpus:2;mem:1024
   agent a6 cpus:2;mem:1024
   > f3 role3 a6 cpus:2;mem:1024`,
);

// ---- filters, suppression

story(
  'OfferFilter, SmallOfferFilterTimeout: as long as was said, whatever the interval',
  `agent a1 cpus:2;mem:1024
   framework f1 r
   > f1 r a1 cpus:2;mem:1024
   decline f1 a1 10
   > nothing
   wait 9
   > nothing
   wait 1
   > f1 r a1 cpus:2;mem:1024
   decline f1 a1 0.5
   wait 0.4
   > nothing
   wait 0.1
   > f1 r a1 cpus:2;mem:1024`,
);

story(
  'SuppressAndReviveOffers, ReviveOffers',
  `agent a1 cpus:2;mem:1024
   framework f1 r
   > f1 r a1 cpus:2;mem:1024
   suppress f1
   decline f1 a1 1000
   > nothing
   agent a2 cpus:2;mem:1024
   > nothing
   revive f1
   > f1 r a1 cpus:2;mem:1024
   > f1 r a2 cpus:2;mem:1024`,
);

story(
  'SuppressAndReviveOffersWithMultiRole',
  `framework f1 r1,r2 multi-role
   suppress f1 r1
   agent a1 cpus:2;mem:1024
   > f1 r2 a1 cpus:2;mem:1024
   decline f1 a1 1000
   > nothing
   revive f1 r1
   > f1 r1 a1 cpus:2;mem:1024
   decline f1 a1 1000
   revive f1 r2
   > f1 r2 a1 cpus:2;mem:1024`,
);

story(
  'DeactivateAndReactivateFramework: filters end with the connection',
  `agent a1 cpus:2;mem:1024
   framework f1 r
   > f1 r a1 cpus:2;mem:1024
   decline f1 a1 1000
   off f1
   > nothing
   on f1
   > f1 r a1 cpus:2;mem:1024`,
);

story(
  'RemoveFilters: a role that is left and joined again has no filters',
  `agent a1 cpus:2;mem:1024
   framework f1 r1 multi-role
   > f1 r1 a1 cpus:2;mem:1024
   decline f1 a1 1000
   updated f1 r2 multi-role
   > f1 r2 a1 cpus:2;mem:1024
   decline f1 a1 1000
   updated f1 r1,r2 multi-role
   > f1 r1 a1 cpus:2;mem:1024`,
);

story(
  'FrameworkLoopMESOS_9554: who declines is not asked again before the others',
  `agent a1 cpus:2;mem:1024
   framework f1 r1
   framework f2 r2
   > f1 r1 a1 cpus:2;mem:1024
   decline f1 a1 1
   > f2 r2 a1 cpus:2;mem:1024
   decline f2 a1 1
   > nothing
   wait 1
   > f1 r1 a1 cpus:2;mem:1024`,
);

// ---- what is worth an offer

story(
  'Allocatable: cpus or memory, as little as the flag says',
  `framework f1 r
   agent a1 cpus:0.005;mem:31
   > nothing
   agent a2 cpus:0.01
   > f1 r a2 cpus:0.01
   agent a3 mem:32
   > f1 r a3 mem:32
   agent a4 cpus:0.01;mem:32
   > f1 r a4 cpus:0.01;mem:32`,
);

story(
  'FrameworkMinAllocatable, FrameworkEmptyMinAllocatable',
  `framework big r min=cpus:4
   agent a1 cpus:2;mem:1024
   > nothing
   agent a2 cpus:4;mem:1024
   > big r a2 cpus:4;mem:1024
   framework small s min=
   > small s a1 cpus:2;mem:1024
   agent a3 cpus:0.001
   > small s a3 cpus:0.001`,
);

story(
  'RecoverResources: what comes back is offered with what was free',
  `agent a1 cpus:1;mem:200;cpus(r):1;mem(r):0
   framework f1 r
   > f1 r a1 cpus:1;mem:200;cpus(r):1
   return f1 a1 cpus:1;mem:100
   > f1 r a1 cpus:1;mem:100
   return f1 a1 cpus(r):1
   > f1 r a1 cpus(r):1`,
);

// ---- agents

story(
  'UpdateSlaveTotalResources, RemoveSlaveRecoverResources',
  `agent a1 cpus:100;mem:100
   framework f1 r
   > f1 r a1 cpus:100;mem:100
   total a1 cpus:150;mem:150
   > f1 r a1 cpus:50;mem:50
   agent-gone a1
   agent a1 cpus:1;mem:64
   > f1 r a1 cpus:1;mem:64`,
);

story(
  'UpdateSlaveCapabilities, DontOfferOldAgentToMultiRoleFramework',
  `framework f1 r multi-role
   framework f2 r/s
   agent a1 cpus:2;mem:1024 old
   > nothing
   upgraded a1
   > f1 r a1 cpus:2;mem:1024`,
);

story(
  'an agent that is not active is offered to nobody, and counts for shares',
  `framework f1 r
   agent a1 cpus:2;mem:1024
   > f1 r a1 cpus:2;mem:1024
   agent-off a1
   decline f1 a1 0
   > nothing
   agent-on a1
   > f1 r a1 cpus:2;mem:1024`,
);

story(
  'GPUs and regions are for those who know of them',
  `options region=near
   agent a1 cpus:2;mem:64;gpus:1
   agent a2 cpus:2;mem:64 far
   framework f1 r
   > nothing
   framework f2 s gpus
   > f2 s a1 cpus:2;mem:64;gpus:1
   framework f3 t regions
   > f3 t a2 cpus:2;mem:64`,
);

story(
  '--filter_gpu_resources=false',
  `options gpus=open
   agent a1 cpus:2;mem:64;gpus:1
   framework f1 r
   > f1 r a1 cpus:2;mem:64;gpus:1`,
);

story(
  'NoDoubleAccounting: what a returning agent tells is held already',
  `framework f1 r1 suppressed
   framework f2 r2 suppressed
   agent a1 cpus:1
   agent a2 cpus:1
   held f1 r1 a1 cpus:1
   held f2 r2 a2 cpus:1
   revive f1
   revive f2
   > nothing
   agent a3 cpus:1
   > f1 r1 a3 cpus:1`,
);

// ---- reservations

story(
  'Reservations: to the role, all of it, and nobody else',
  `agent a1 cpus(r1):2;mem(r1):1024
   agent a2 cpus(r2):2;mem(r2):1024;cpus:1;mem:256
   framework f1 r1
   > f1 r1 a1 cpus(r1):2;mem(r1):1024
   > f1 r1 a2 cpus:1;mem:256
   framework f2 r2
   > f2 r2 a2 cpus(r2):2;mem(r2):1024`,
);

story(
  'OfferAncestorReservationsToDescendantChild',
  `framework f1 a/b/c
   agent a1 cpus(a):1;mem(a):512
   > f1 a/b/c a1 cpus(a):1;mem(a):512
   agent a2 cpus:2;mem:1024;cpus(a/b):4;mem(a/b):2048
   > f1 a/b/c a2 cpus:2;mem:1024;cpus(a/b):4;mem(a/b):2048`,
);

story(
  'UpdateAvailableSuccess, UpdateAvailableFail',
  `agent a1 cpus:100;mem:100;disk:100
   turn-free a1 cpus:25;mem:50 cpus(r1):25;mem(r1):50
   framework f1 r1
   > f1 r1 a1 cpus:75;mem:50;disk:100;cpus(r1):25;mem(r1):50
   turn-free a1 cpus:25 cpus(r1):25 refused`,
);

story(
  'UpdateAllocation: a reservation and a volume of what is held come back as what they are',
  `agent a1 cpus:100;mem:100;disk:100
   framework f1 r1
   > f1 r1 a1 cpus:100;mem:100;disk:100
   turn f1 a1 disk:5 disk(r1):5
   turn f1 a1 disk(r1):5 disk[v1](r1):5
   decline f1 a1 0
   > f1 r1 a1 cpus:100;mem:100;disk:95;disk[v1](r1):5`,
);

// ---- shared and revocable

story(
  'UpdateAllocationSharedPersistentVolume, AllocateSharedResources: one volume, offered to one at a time',
  `agent a1 cpus:10;mem:512;disk(r):100
   framework f1 r shared
   framework f2 r shared
   > f1 r a1 cpus:10;mem:512;disk(r):100
   turn f1 a1 disk(r):100 disk[v](r)<S>:100
   return f1 a1 cpus:5;mem:256;disk[v](r)<S>:100
   > f2 r a1 cpus:5;mem:256;disk[v](r)<S>:100`,
);

story(
  'SharedResourcesCapability',
  `agent a1 cpus:4;mem:64;disk[v](r)<S>:10
   framework f1 r
   > f1 r a1 cpus:4;mem:64
   decline f1 a1 1000
   framework f2 r shared
   > f2 r a1 cpus:4;mem:64;disk[v](r)<S>:10`,
);

story(
  'UpdateSlaveOversubscribedResources, OversubscribedNotAllocated, RecoverOversubscribedResources',
  `agent a1 cpus:100;mem:100
   framework plain r
   > plain r a1 cpus:100;mem:100
   total a1 cpus:100;mem:100;cpus{R}:10
   > nothing
   framework f1 s revocable
   > f1 s a1 cpus{R}:10
   return f1 a1 cpus{R}:5
   > f1 s a1 cpus{R}:5`,
);

// ---- what is no story of single offers

test('SameShareFairness: who was given something less often goes first', () => {
  const allocator = new AllocatorCore();
  const counts = { f1: 0, f2: 0 };
  for (const id of ['f1', 'f2']) allocator.addFramework(id, settings('*', []));
  allocator.addAgent('a', bag('cpus:2;mem:1024'));
  for (let i = 0; i < 10; i++) {
    const [one] = allocator.allocate(i);
    assert.ok(one !== undefined);
    counts[one.frameworkId as 'f1' | 'f2']++;
    allocator.recover(one.frameworkId, 'a', one.resources);
  }
  assert.deepEqual(counts, { f1: 5, f2: 5 });
});

test('NonScalarReservationTrackingMESOS_9555: agents with reserved ports come and go', () => {
  const allocator = new AllocatorCore();
  for (const id of ['a1', 'a2']) allocator.addAgent(id, bag('cpus:1;mem:64;ports(role):[1-2]'));
  assert.deepEqual(allocator.roles(), ['role']);
  for (const id of ['a1', 'a2']) allocator.removeAgent(id);
  assert.deepEqual(allocator.roles(), []);
  assert.deepEqual(allocator.totals(), new Map());
});

/** How often each is first, of many draws; one agent, given back each time. */
function firsts(
  options: ConstructorParameters<typeof AllocatorCore>[0],
  frameworks: Readonly<Record<string, string>>,
  weights: Readonly<Record<string, number>>,
): Record<string, number> {
  const allocator = new AllocatorCore({ ...options, seed: 7 });
  for (const [role, weight] of Object.entries(weights)) allocator.setWeight(role, weight);
  for (const [id, role] of Object.entries(frameworks))
    allocator.addFramework(id, settings(role, []));
  allocator.addAgent('a', bag('cpus:1'));
  const draws = 6_000;
  const counts: Record<string, number> = {};
  for (let i = 0; i < draws; i++) {
    const [one] = allocator.allocate(i);
    assert.ok(one !== undefined);
    counts[one.frameworkId] = (counts[one.frameworkId] ?? 0) + 1 / draws;
    allocator.recover(one.frameworkId, 'a', one.resources);
  }
  return counts;
}

function near(got: Readonly<Record<string, number>>, want: Readonly<Record<string, number>>): void {
  for (const [id, share] of Object.entries(want)) {
    assert.ok(Math.abs((got[id] ?? 0) - share) < 0.025, `${id}: ${got[id]} instead of ${share}`);
  }
}

test('ProbabilityDistribution: the random sorter draws by weight', () => {
  const got = firsts({ roleSorter: 'random' }, { f1: 'a', f2: 'b', f3: 'c' }, { b: 2, c: 3 });
  near(got, { f1: 1 / 6, f2: 2 / 6, f3: 3 / 6 });
});

test('HierarchicalProbabilityDistribution: by weight at every level', () => {
  const frameworks = { f1: 'a/x', f2: 'a/y', f3: 'b', f4: 'c/z' };
  const got = firsts({ roleSorter: 'random' }, frameworks, { 'a/y': 3, b: 2 });
  near(got, { f1: 1 / 16, f2: 3 / 16, f3: 2 / 4, f4: 1 / 4 });
});

test('--framework_sorter=random: evenly inside a role', () => {
  near(firsts({ frameworkSorter: 'random' }, { f1: 'r', f2: 'r', f3: 'r' }, {}), {
    f1: 1 / 3,
    f2: 1 / 3,
    f3: 1 / 3,
  });
});
