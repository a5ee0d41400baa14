// The allocator's rules on quota: the situations and outcomes that Mesos 1.11's own allocator tests
// check, under their names; and those on roles below others, which Mesos does not have.
import { story } from './story-fixture.ts';

// ---- quota

story(
  'QuotaProvidesGuarantee: kept free although it was declined',
  `framework f1 quota-role
   quota quota-role cpus:2;mem:1024
   framework f2 no-quota-role
   agent a1 cpus:1;mem:512
   > f1 quota-role a1 cpus:1;mem:512
   agent a2 cpus:1;mem:512
   > f1 quota-role a2 cpus:1;mem:512
   decline f1 a2 2
   > nothing
   wait 2
   > f1 quota-role a2 cpus:1;mem:512`,
);

story(
  'QuotaProvidesLimit: also for *, and nothing is a limit',
  `framework f1 *
   zero-limit * cpus,mem,disk
   agent a1 cpus:2;mem:1024;disk:1024
   > nothing
   framework f2 no-quota-role
   > f2 no-quota-role a1 cpus:2;mem:1024;disk:1024
   limit * cpus:1;mem:512;disk:512
   agent a2 cpus:2;mem:1024;disk:1024
   > f1 * a2 cpus:1;mem:512;disk:512
   > f2 no-quota-role a2 cpus:1;mem:512;disk:512`,
);

story(
  'RemoveQuota',
  `quota quota-role cpus:2;mem:1024
   framework f1 quota-role
   framework f2 no-quota-role
   agent a1 cpus:1;mem:512
   agent a2 cpus:1;mem:512
   > f1 quota-role a1 cpus:1;mem:512
   > f1 quota-role a2 cpus:1;mem:512
   no-quota quota-role
   return f1 a1 cpus:1;mem:512
   > f2 no-quota-role a1 cpus:1;mem:512`,
);

story(
  'MultipleFrameworksInRoleWithQuota: fair inside, and one takes what the other declines',
  `framework f1a quota-role
   quota quota-role cpus:4;mem:2048
   framework f2 no-quota-role
   agent a1 cpus:1;mem:512
   > f1a quota-role a1 cpus:1;mem:512
   framework f1b quota-role
   agent a2 cpus:2;mem:1024
   > f1b quota-role a2 cpus:2;mem:1024
   agent a3 cpus:1;mem:512
   > f1a quota-role a3 cpus:1;mem:512
   decline f1a a3 5
   > f1b quota-role a3 cpus:1;mem:512`,
);

story(
  'QuotaAllocationGranularity: what can be cut is cut to what is guaranteed',
  `framework f1 quota-role
   quota quota-role cpus:0.5;mem:200
   agent a1 cpus:1;mem:512
   > f1 quota-role a1 cpus:0.5;mem:200
   framework f2 no-quota-role
   > f2 no-quota-role a1 cpus:0.5;mem:312`,
);

story(
  'QuotaAllocationGranularityUnchoppableResource: a whole disk, or none of it',
  `quota quota-role cpus:2;mem:2048;disk:150
   agent a1 cpus:0.5;mem:512;disk[mount]:100
   framework f1 quota-role
   > f1 quota-role a1 cpus:0.5;mem:512;disk[mount]:100
   agent a2 cpus:0.5;mem:512;disk[mount]:100
   > f1 quota-role a2 cpus:0.5;mem:512
   agent a3 cpus:2;mem:2048;disk:150
   > f1 quota-role a3 cpus:1;mem:1024;disk:50`,
);

story(
  'QuotaAllocationMultipleDisk',
  `quota quota-role cpus:1;mem:512;disk:100
   agent a1 cpus:1;mem:512;disk:50;disk[mount]:50
   framework f1 quota-role
   > f1 quota-role a1 cpus:1;mem:512;disk:50;disk[mount]:50`,
);

story(
  'QuotaRoleAllocateNonQuotaResource: what it has no quota for, unless others are guaranteed it',
  `quota q1 cpus:2
   agent a1 cpus:1;mem:1024;ports:[31000-32000]
   framework f1 q1
   > f1 q1 a1 cpus:1;mem:1024;ports:[31000-32000]
   quota q2 mem:1024
   agent a2 cpus:1;mem:1024;ports:[31000-32000]
   > f1 q1 a2 cpus:1;ports:[31000-32000]
   agent a3 cpus:1;mem:1024;ports:[31000-32000]
   > f1 q1 a3 mem:1024;ports:[31000-32000]`,
);

story(
  'DRFWithQuota: beyond quota, shares decide',
  `quota quota-role cpus:0.25;mem:128
   framework f1 quota-role
   framework f2 no-quota-role
   agent a1 cpus:1;mem:512
   > f1 quota-role a1 cpus:0.25;mem:128
   > f2 no-quota-role a1 cpus:0.75;mem:384`,
);

story(
  'QuotaAgainstStarvation: a guarantee comes before the smaller share',
  `framework f1 quota-role
   framework f2 no-quota-role
   agent a1 cpus:1;mem:512
   > f2 no-quota-role a1 cpus:1;mem:512
   agent a2 cpus:1;mem:512
   > f1 quota-role a2 cpus:1;mem:512
   quota quota-role cpus:2;mem:1024
   decline f2 a1 0
   > f1 quota-role a1 cpus:1;mem:512`,
);

story(
  'QuotaAbsentFrameworkWholeAgent: kept although nobody is there to take it',
  `quota quota-role cpus:2;mem:1024
   framework f1 no-quota-role
   agent a1 cpus:2;mem:1024
   > nothing
   agent a2 cpus:2;mem:1024
   > f1 no-quota-role a2 cpus:2;mem:1024`,
);

story(
  'MultiQuotaAbsentFrameworks: one guarantee does not starve another',
  `agent a1 cpus:2;mem:2048
   quota q1 cpus:1;mem:1024
   quota q2 cpus:2;mem:2048
   framework f1 q2
   > f1 q2 a1 cpus:2;mem:2048`,
);

story(
  'MultiQuotaWithFrameworks',
  `quota q1 cpus:1;mem:200
   quota q2 cpus:2;mem:2000
   framework f1 q1 suppressed
   framework f2 q2 suppressed
   agent a1 cpus:1;mem:1024
   agent a2 cpus:1;mem:1024
   held f1 q1 a1 cpus:1;mem:1024
   held f2 q2 a2 cpus:1;mem:1024
   revive f1
   revive f2
   > nothing
   agent a3 cpus:2;mem:2048
   > f2 q2 a3 cpus:1;mem:976`,
);

story(
  'ReservationWithinQuota: what is reserved counts, so less has to be kept',
  `quota quota-role cpus:2;mem:256
   framework f1 quota-role
   framework f2 non-quota-role
   agent a1 cpus:8;mem(quota-role):256
   > f1 quota-role a1 cpus:2;mem(quota-role):256
   > f2 non-quota-role a1 cpus:6
   agent a2 cpus:4
   > f2 non-quota-role a2 cpus:4`,
);

story(
  'QuotaSetAsideReservedResources: reservations of others are no headroom',
  `agent a1 cpus:4;mem:512
   agent a2 cpus:4;mem:512
   turn-free a2 cpus:4;mem:512 cpus(no-quota-role):4;mem(no-quota-role):512
   quota quota-role cpus:4;mem:512
   framework f1 quota-role
   > f1 quota-role a1 cpus:4;mem:512
   decline f1 a1 10
   > nothing
   framework f2 no-quota-role
   > f2 no-quota-role a2 cpus(no-quota-role):4;mem(no-quota-role):512
   decline f2 a2 10
   > nothing`,
);

story(
  'ReservationUnallocated: reserved is consumed, used or not',
  `agent a1 cpus(quota-role):1;mem(quota-role):1024
   quota quota-role cpus:1;mem:1024
   framework f1 quota-role
   > f1 quota-role a1 cpus(quota-role):1;mem(quota-role):1024
   decline f1 a1 86400
   agent a2 cpus:1;mem:1024
   > nothing`,
);

story(
  'ReservationAllocated',
  `agent a1 cpus(quota-role):1;mem(quota-role):1024
   quota quota-role cpus:2;mem:2048
   framework f1 quota-role
   > f1 quota-role a1 cpus(quota-role):1;mem(quota-role):1024
   agent a2 cpus:1;mem:1024
   > f1 quota-role a2 cpus:1;mem:1024
   agent a3 cpus:1;mem:1024
   > nothing`,
);

story(
  'QuotaAccountingReserveAllocatedResources: reserving what is held changes no account',
  `quota quota-role cpus:10;mem:1024
   framework f1 quota-role
   agent a1 cpus:5;mem:512
   > f1 quota-role a1 cpus:5;mem:512
   turn f1 a1 cpus:5;mem:512 cpus(quota-role):5;mem(quota-role):512
   agent a2 cpus:10;mem:1024
   > f1 quota-role a2 cpus:5;mem:512`,
);

story(
  'QuotaAccountingUnreserveAllocatedResources',
  `quota quota-role cpus:1;mem:1024
   framework f1 quota-role
   agent a1 cpus(quota-role):1;mem(quota-role):1024
   > f1 quota-role a1 cpus(quota-role):1;mem(quota-role):1024
   agent a2 cpus:1;mem:1024
   > nothing
   turn f1 a1 cpus(quota-role):1;mem(quota-role):1024 cpus:1;mem:1024
   > nothing`,
);

story(
  'DisproportionateQuotaVsAllocation: what it has enough of is not given beyond the limit',
  `quota quota-role cpus:4;mem:1024
   framework f1 quota-role
   agent a1 cpus:2;mem:1024
   > f1 quota-role a1 cpus:2;mem:1024
   agent a2 cpus:2;mem:1024
   > f1 quota-role a2 cpus:2`,
);

story(
  'QuotaWithAncestorReservations: held reservations are no headroom either',
  `quota quota-role cpus:1;mem:1024
   agent a1 cpus(a):1;mem(a):1024
   framework f1 a/b
   > f1 a/b a1 cpus(a):1;mem(a):1024
   framework f2 no-quota-role
   agent a2 cpus:1;mem:1024
   > nothing
   suppress f1
   agent a3 cpus:1;mem:1024
   > f2 no-quota-role a3 cpus:1;mem:1024`,
);

story(
  'QuotaWithNestedRoleReservation: a reservation below counts above',
  `quota a cpus:2;mem:200
   agent a1 cpus(a/b):1;mem(a/b):100
   agent a2 cpus:10;mem:1000
   framework f1 a
   > f1 a a2 cpus:1;mem:100`,
);

story(
  'QuotaWithNestedRoleAllocation: what is held below counts above, and is not bound itself',
  `framework f1 a/b
   agent a1 cpus:1;mem:1024
   > f1 a/b a1 cpus:1;mem:1024
   quota a cpus:1;mem:1024
   framework f2 a
   agent a2 cpus:1;mem:1024
   > f1 a/b a2 cpus:1;mem:1024`,
);

story(
  'QuotaHeadroomWithNestedRoleAllocation',
  `framework f1 a/b
   agent a1 cpus:1;mem:100
   > f1 a/b a1 cpus:1;mem:100
   framework f2 a
   agent a2 cpus:1;mem:100
   > f2 a a2 cpus:1;mem:100
   quota quota-role cpus:1;mem:100
   agent a3 cpus:1;mem:100
   > nothing
   suppress f2
   agent a4 cpus:1;mem:100
   > f1 a/b a4 cpus:1;mem:100`,
);

// ---- quota on roles below others, which Mesos 1.11 does not have: where it is used, limits bind below

story(
  'NestedRoleQuota (beyond Mesos): the parent keeps what its children are guaranteed',
  `framework f1 a/b
   quota a/b cpus:2;mem:1024
   agent a1 cpus:1;mem:512
   > f1 a/b a1 cpus:1;mem:512
   decline f1 a1 10
   framework f3 a/b/d
   quota a/b/d cpus:1;mem:512
   > f3 a/b/d a1 cpus:1;mem:512`,
);

story(
  'NestedRoleQuotaAllocateToParent (beyond Mesos)',
  `quota a/b cpus:4;mem:2048
   framework f1 a/b
   agent a1 cpus:2;mem:1024
   > f1 a/b a1 cpus:2;mem:1024
   framework f2 a/b/c
   quota a/b/c cpus:1;mem:512
   agent a2 cpus:1;mem:512
   > f2 a/b/c a2 cpus:1;mem:512
   agent a3 cpus:1;mem:512
   > f1 a/b a3 cpus:1;mem:512
   agent a4 cpus:1;mem:512
   > nothing`,
);

story(
  'NestedQuotaAccounting (beyond Mesos): what a child holds counts for its parent once',
  `framework f1 aaa
   quota x/b cpus:3;mem:300
   framework f2 x/b
   agent a1 cpus:2;mem:200
   > f2 x/b a1 cpus:2;mem:200
   quota x/b/c cpus:1;mem:100
   framework f3 x/b/c
   agent a2 cpus:1;mem:100
   > f3 x/b/c a2 cpus:1;mem:100
   agent a3 cpus:1;mem:100
   > f1 aaa a3 cpus:1;mem:100`,
);
