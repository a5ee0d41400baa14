// `strata why` in words: the nearest way to an offer comes first, and what is shown is complete.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { podReason, type PodView } from './why-pod.ts';
import { reasonsOf, whyText, type Explained } from './why.ts';

const NOW = 1_000_000;

function explained(more: Partial<Explained> = {}): Explained {
  return {
    frameworkId: 'F1',
    frameworkName: 'spark',
    role: 'r/x',
    isActive: true,
    isSuppressed: false,
    holds: { cpus: 3, mem: 128 },
    order: {
      position: 2,
      of: 3,
      before: [{ frameworkId: 'F2', role: 's' }],
      levels: [{ path: 'r', share: 0.25, weight: 2, position: 2, siblings: 2 }],
    },
    quota: {
      roles: [
        {
          role: 'r',
          guarantees: {},
          limits: { cpus: 4, mem: 9_000 },
          consumed: { cpus: 4, mem: 128 },
        },
      ],
      surplus: {},
    },
    filters: { count: 0 },
    agents: { total: 1, byReason: { 'nothing-free': 1 }, named: [] },
    ...more,
  };
}

function told(byReason: Record<string, number>, more: Partial<Explained> = {}): string[] {
  const total = Object.values(byReason).reduce((sum, one) => sum + one, 0);
  return reasonsOf(explained({ agents: { total, byReason, named: [] }, ...more }), NOW);
}

const table: readonly [string, string[], string[]][] = [
  [
    'a framework that is away',
    told({ 'suppressed-or-inactive': 1 }, { isActive: false }),
    ['the framework is not connected, or was deactivated'],
  ],
  [
    'suppressed',
    told({ 'suppressed-or-inactive': 1 }, { isSuppressed: true }),
    ['it suppressed offers in this role; REVIVE brings them back'],
  ],
  ['no agents', told({}), ['no agent is registered']],
  [
    'the nearest first',
    told(
      { 'nothing-free': 7, filtered: 1, constraints: 2 },
      { filters: { count: 1, nextEnd: NOW + 4_200 } },
    ),
    [
      '1 agent: it declined what is free there; its next filter ends in 5 s, REVIVE ends all',
      '2 agents: its offer constraints exclude them',
      '7 agents: nothing is free',
    ],
  ],
  [
    'a limit names what is used up',
    told({ 'quota-limit': 3 }),
    ["3 agents: the limit of role 'r' leaves too little: cpus 4 of 4 is used"],
  ],
  [
    'requests that do not fit',
    told({ 'no-wish-fits': 2 }, { openWishes: 4 }),
    ['2 agents: none of its 4 open requests fits into what is free'],
  ],
  [
    'requests all served',
    told({ 'no-wish-fits': 2 }, { openWishes: 0 }),
    ['2 agents: all that it asked for with REQUEST has been offered'],
  ],
];

for (const [name, got, want] of table) {
  test(`reasonsOf(): ${name}`, () => {
    assert.deepEqual(got, want);
  });
}

test('whyText() shows place, quota and agents', () => {
  const named = [
    { agentId: 'A1', hostname: 'h1', reason: 'filtered', free: 'cpus:1', until: NOW + 1_000 },
  ];
  const one = explained({ agents: { total: 3, byReason: { filtered: 3 }, named } });
  assert.equal(
    whyText(one, NOW),
    `spark (F1) in role r/x
  why     3 agents: it declined what is free there; its next filter ends in 0 s, REVIVE ends all
  holds   cpus 3, mem 128
  order   2 of 3: r 2 of 2 (share 0.250, weight 2)
          before it: F2 in s
  quota   r: guaranteed nothing; limited to cpus 4, mem 9000; used cpus 4, mem 128
  agents  h1 (A1): filtered until 1970-01-01T00:16:41.000Z; free: cpus:1
          and 2 more`,
  );
});

const podTable: readonly [string, PodView, string[], boolean][] = [
  [
    'not planned yet',
    { metadata: {}, spec: {}, status: {} },
    ['it waits for offers that it fits into'],
    true,
  ],
  [
    'fits nowhere',
    {
      metadata: {},
      spec: { schedulerName: 'default-scheduler' },
      status: {
        phase: 'Pending',
        conditions: [
          { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/1 nodes' },
        ],
      },
    },
    ['no node for it: Unschedulable: 0/1 nodes'],
    true,
  ],
  [
    'bound',
    {
      metadata: {},
      spec: { nodeName: 'n' },
      status: {
        phase: 'Pending',
        containerStatuses: [
          { name: 'c', state: { waiting: { reason: 'CreateContainerError', message: 'no' } } },
        ],
      },
    },
    [
      'it has its place on node n, and waits for that node to start it',
      'container c waits: CreateContainerError: no',
    ],
    false,
  ],
  [
    'another scheduler',
    { metadata: {}, spec: { schedulerName: 'mine' }, status: {} },
    ["it waits for the scheduler 'mine', which is not that of the instance"],
    false,
  ],
  [
    'over',
    {
      metadata: {},
      spec: { nodeName: 'n' },
      status: { phase: 'Failed', reason: 'NodeLost', message: 'gone' },
    },
    ['it is Failed on node n (NodeLost: gone)'],
    false,
  ],
  [
    'on its way out',
    { metadata: { deletionTimestamp: 'now' }, spec: {}, status: {} },
    ['it is being deleted'],
    false,
  ],
];

for (const [name, pod, lines, isForOffers] of podTable) {
  test(`podReason(): ${name}`, () => {
    assert.deepEqual(podReason(pod), { lines, isForOffers });
  });
}
