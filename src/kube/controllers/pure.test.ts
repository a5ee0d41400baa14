// Tables of what several controllers share, and of single cores where time or order matters.
import assert from 'node:assert/strict';
import test from 'node:test';
import * as fc from 'fast-check';
import type { KubeObject } from '#kube/meta/object.ts';
import { lastTime, nextTime, parseSchedule } from './cronjob/schedule.ts';
import { same } from '#base/same.ts';
import { canonicalText } from './canonical-text.ts';
import { scaledValue } from './intstr.ts';
import { formatIndexes, parseIndexes } from './job/indexes.ts';
import { matchedSuccessRule } from './job/success-policy.ts';
import { judgeNode } from './daemonset/core.ts';
import { annotationsFor, REVISION, revisionOf } from './deployment/sets.ts';
import { rollingSizes } from './deployment/sizes.ts';
import { evictionAt } from './nodelifecycle/core.ts';
import { tolerates } from './node-match.ts';
import { byDeletionOrder } from './pod-facts.ts';
import { reconcileStatefulSet } from './statefulset/core.ts';
import { revisionOf as revisionOfPod } from './statefulset/pods.ts';
import { templateHash } from './template-hash.ts';

const at = (text: string): number => Date.parse(text);

const times: readonly [string, string, string, string?][] = [
  ['*/15 * * * *', '2026-03-01T10:07:00Z', '2026-03-01T10:15:00Z'],
  ['0 0 * * *', '2026-03-01T00:00:00Z', '2026-03-02T00:00:00Z'],
  ['30 4 1,15 * 5', '2026-03-02T00:00:00Z', '2026-03-06T04:30:00Z'],
  ['0 9 * jan mon-fri', '2026-02-01T00:00:00Z', '2027-01-01T09:00:00Z'],
  ['@monthly', '2026-12-05T00:00:00Z', '2027-01-01T00:00:00Z'],
  ['0 9 * * 7', '2026-03-02T00:00:00Z', '2026-03-08T09:00:00Z'],
  ['0 9 * * *', '2026-07-01T00:00:00Z', '2026-07-01T07:00:00Z', 'Europe/Berlin'],
  ['0 9 * * *', '2026-01-10T00:00:00Z', '2026-01-10T08:00:00Z', 'Europe/Berlin'],
  ['@every 90s', '2026-01-10T00:00:00Z', '2026-01-10T00:01:30Z'],
];
for (const [text, after, want, zone] of times) {
  test(`nextTime('${text}', ${after}, ${zone ?? 'UTC'})`, () => {
    const schedule = parseSchedule(text);
    assert.ok(schedule !== undefined);
    const next = nextTime(schedule, at(after), zone);
    assert.equal(
      next === undefined ? undefined : new Date(next).toISOString(),
      want.replace('Z', '.000Z'),
    );
  });
}

test('parseSchedule() refuses what is none', () => {
  for (const text of [
    '',
    '* * * *',
    '60 * * * *',
    '* * 0 * *',
    'a * * * *',
    '*/0 * * * *',
    '5-1 * * * *',
  ]) {
    assert.equal(parseSchedule(text), undefined, text);
  }
  const never = parseSchedule('0 0 30 2 *');
  assert.ok(never !== undefined);
  assert.equal(nextTime(never, at('2026-01-01T00:00:00Z')), undefined);
});

test('lastTime() finds the latest moment of a long absence quickly', () => {
  const schedule = parseSchedule('* * * * *');
  assert.ok(schedule !== undefined);
  const until = at('2026-06-01T00:00:30Z');
  const found = lastTime(schedule, { after: at('2026-01-01T00:00:00Z'), until });
  assert.equal(found?.at, at('2026-06-01T00:00:00Z'));
  assert.ok((found?.missedCount ?? 0) > 100);
});

test('indexes survive being written and read', () => {
  assert.equal(formatIndexes(new Set([0, 1, 2, 5, 7, 8])), '0-2,5,7,8');
  fc.assert(
    fc.property(fc.array(fc.nat(40)), (list) => {
      const set = new Set(list);
      assert.deepEqual(parseIndexes(formatIndexes(set)), set);
    }),
  );
});

test('scaledValue()', () => {
  assert.equal(scaledValue('25%', 10, 'up'), 3);
  assert.equal(scaledValue('25%', 10, 'down'), 2);
  assert.equal(scaledValue(4, 10, 'up'), 4);
});

test('equal values have equal texts, and unequal ones do not', () => {
  fc.assert(
    fc.property(fc.json(), fc.json(), (a, b) => {
      const [x, y] = [JSON.parse(a) as unknown, JSON.parse(b) as unknown];
      assert.equal(same(x, y), canonicalText(x) === canonicalText(y));
    }),
  );
  assert.ok(same({ a: 1, b: undefined }, { a: 1 }));
  assert.ok(same({ a: 1, b: 2 }, { b: 2, a: 1 }));
});

test('templateHash() is a label of its template alone', () => {
  const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [] } };
  const hash = templateHash(template, 0);
  assert.match(hash, /^[bcdfghjklmnpqrstvwxz2456789]{1,10}$/);
  assert.equal(hash, templateHash(structuredClone(template), undefined));
  assert.notEqual(hash, templateHash(template, 1));
});

function pod(
  name: string,
  more: { node?: string; ready?: string; cost?: string } = {},
): KubeObject {
  const { node, ready, cost } = more;
  const key = 'controller.kubernetes.io/pod-deletion-cost';
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      creationTimestamp: '2026-01-01T00:00:00Z',
      ...(cost === undefined ? {} : { annotations: { [key]: cost } }),
    },
    spec: node === undefined ? {} : { nodeName: node },
    status: {
      phase: node === undefined ? 'Pending' : 'Running',
      conditions:
        ready === undefined ? [] : [{ type: 'Ready', status: 'True', lastTransitionTime: ready }],
    },
  };
}

test('byDeletionOrder() spares what serves', () => {
  const now = at('2026-01-02T00:00:00Z');
  const old = '2026-01-01T01:00:00Z';
  const pods = [
    pod('serving', { node: 'a', ready: old }),
    pod('crowded', { node: 'b', ready: old }),
    pod('crowded-too', { node: 'b', ready: old }),
    pod('cheap', { node: 'a', ready: old, cost: '-5' }),
    pod('fresh', { node: 'c', ready: '2026-01-01T23:59:00Z' }),
    pod('unready', { node: 'a' }),
    pod('unplaced'),
  ];
  assert.deepEqual(
    byDeletionOrder(pods, now).map(({ metadata }) => metadata.name),
    ['unplaced', 'unready', 'cheap', 'serving', 'crowded', 'crowded-too', 'fresh'],
  );
});

const taint = { key: 'k', value: 'v', effect: 'NoExecute' };
const tolerations: readonly [object, boolean][] = [
  [{ operator: 'Exists' }, true],
  [{ key: 'k', operator: 'Exists' }, true],
  [{ key: 'k', value: 'v' }, true],
  [{ key: 'k', value: 'w' }, false],
  [{ key: 'k', value: 'v', effect: 'NoSchedule' }, false],
  [{ key: 'j', operator: 'Exists' }, false],
  [{ value: 'v' }, false],
];
for (const [toleration, want] of tolerations) {
  test(`tolerates(${JSON.stringify(toleration)})`, () => {
    assert.equal(tolerates(toleration, taint), want);
  });
}

test('evictionAt() is the shortest of what is tolerated', () => {
  const since = '2026-01-01T00:00:00Z';
  const taints = [
    { key: 'a', effect: 'NoExecute', timeAdded: since },
    { key: 'b', effect: 'NoExecute', timeAdded: since },
  ];
  const of = (...list: object[]): KubeObject => ({
    ...pod('p', { node: 'x' }),
    spec: { tolerations: list },
  });
  const now = at(since);
  const a = { key: 'a', operator: 'Exists', tolerationSeconds: 30 };
  const b = { key: 'b', operator: 'Exists', tolerationSeconds: 10 };
  assert.equal(evictionAt(of(a, b), taints, now), now + 10_000);
  assert.equal(evictionAt(of(a), taints, now), 0);
  assert.equal(evictionAt(of({ operator: 'Exists' }), taints, now), undefined);
  assert.equal(evictionAt(of(), [], now), undefined);
});

test('judgeNode() lets a daemon pod stay where it only may not begin', () => {
  const set = {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: {},
    spec: { template: { spec: {} } },
  };
  const node = (taints: object[]): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n' },
    spec: { taints },
  });
  const cases: readonly [object[], boolean, boolean][] = [
    [[], true, true],
    [[{ key: 'x', effect: 'NoSchedule' }], false, true],
    [[{ key: 'x', effect: 'NoExecute' }], false, false],
    [[{ key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' }], true, true],
    [[{ key: 'x', effect: 'PreferNoSchedule' }], true, true],
  ];
  for (const [taints, shouldRun, mayStay] of cases) {
    assert.deepEqual(judgeNode(set, node(taints)), { shouldRun, mayStay });
  }
});

test('rollingSizes() never plans below availability nor above the surge', () => {
  const set = (name: string, spec: number, available: number): KubeObject => ({
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name, creationTimestamp: `2026-01-01T00:00:0${name.length}Z` },
    spec: { replicas: spec },
    status: { replicas: spec, availableReplicas: Math.min(spec, available) },
  });
  const size = fc.nat(6);
  fc.assert(
    fc.property(
      fc.record({
        wanted: fc.nat(8),
        surge: fc.nat(3),
        away: fc.nat(3),
        sizes: fc.array(fc.tuple(size, size), { minLength: 1, maxLength: 4 }),
      }),
      ({ wanted, surge, away, sizes }) => {
        const deployment: KubeObject = {
          apiVersion: 'apps/v1',
          kind: 'Deployment',
          metadata: { name: 'd' },
          spec: {
            replicas: wanted,
            strategy: { rollingUpdate: { maxSurge: surge, maxUnavailable: away } },
          },
        };
        const sets = sizes.map(([spec, up], index) => set('x'.repeat(index + 1), spec, up));
        const [fresh, ...old] = sets;
        const planned = rollingSizes({ deployment, fresh, old });
        const next = (one: KubeObject): number => planned.get(one) ?? one['spec'].replicas;
        const total = (of: (one: KubeObject) => number): number =>
          sets.reduce((sum, one) => sum + of(one), 0);
        const before = total((one) => one['spec'].replicas);
        const after = total(next);
        if (after > before) assert.ok(after <= wanted + surge);
        const least = wanted - Math.min(wanted, surge === 0 && away === 0 ? 1 : away);
        const up = total((one) => one['status'].availableReplicas);
        // What is taken away is at worst what was available.
        const lost = old.reduce((sum, one) => {
          const cut = one['spec'].replicas - next(one);
          const spare = one['spec'].replicas - one['status'].availableReplicas;
          return sum + Math.max(0, cut - spare);
        }, 0);
        if (lost > 0) assert.ok(up - lost >= least);
        for (const one of planned.values()) assert.ok(one >= 0);
      },
    ),
  );
});

test('revisions of sets are 64-bit numbers', () => {
  const annotations = { [REVISION]: '3546343826724305832' };
  const set = { apiVersion: 'apps/v1', kind: 'ReplicaSet', metadata: { annotations } };
  const deployment = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: {} };
  const next = revisionOf(set) + 1n;
  assert.equal(annotationsFor(deployment, set, next)[REVISION], '3546343826724305833');
  assert.equal(revisionOf({ ...set, metadata: { annotations: { [REVISION]: 'x' } } }), 0n);
});

const successRules: readonly [
  rules: readonly object[],
  completed: readonly number[],
  want?: number,
][] = [
  [[{ succeededIndexes: '0-1' }], [0, 2]],
  [[{ succeededIndexes: '0-1' }], [0, 1, 2], 0],
  [[{ succeededIndexes: '0-9', succeededCount: 2 }], [3, 7], 0],
  [[{ succeededIndexes: '4' }, { succeededCount: 2 }], [3, 7], 1],
  [[{ succeededCount: 3 }], [3, 7]],
  [[], [0, 1]],
];
for (const [rules, completed, want] of successRules) {
  test(`a job with ${JSON.stringify(rules)} and ${completed.join()} done`, () => {
    const spec = { completionMode: 'Indexed', successPolicy: { rules } };
    const job = { apiVersion: 'batch/v1', kind: 'Job', metadata: {}, spec };
    assert.equal(matchedSuccessRule(job, new Set(completed)), want);
  });
}

test('pods of a StatefulSet are of a revision by its name, or by its hash alone as of old', () => {
  const set = { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name: 'web' } };
  for (const label of ['web-5f8c', '5f8c']) {
    const metadata = { labels: { 'controller-revision-hash': label } };
    assert.equal(revisionOfPod(set, { apiVersion: 'v1', kind: 'Pod', metadata }), 'web-5f8c');
  }
});

const scaledDown: readonly [ready: readonly boolean[], removed: readonly string[]][] = [
  [[true, true, true], ['web-2']],
  [[true, true, false], ['web-2']],
  [[false, true, true], ['web-2']],
  [[false, true, false], []],
  [[false, false, false], []],
  [[false], ['web-0']],
];
for (const [ready, removed] of scaledDown) {
  test(`a StatefulSet of ${ready.join()} is scaled down to none in order`, () => {
    const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [] } };
    const set: KubeObject = {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { name: 'web', namespace: 'd', uid: 'u', generation: 1 },
      spec: { replicas: 0, selector: { matchLabels: { a: 'b' } }, template },
    };
    const pods = ready.map((isReady, ordinal): KubeObject => {
      const owner = { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'web', uid: 'u' };
      const metadata = {
        name: `web-${ordinal}`,
        namespace: 'd',
        labels: { a: 'b' },
        ownerReferences: [{ ...owner, controller: true }],
      };
      const conditions = [{ type: 'Ready', status: isReady ? 'True' : 'False' }];
      return { apiVersion: 'v1', kind: 'Pod', metadata, status: { phase: 'Running', conditions } };
    });
    const snapshot = { set, pods, revisions: [], hasClaim: () => false, isCurrent: true };
    const { effects } = reconcileStatefulSet(snapshot, 0);
    const names = effects.flatMap((one) =>
      one.kind === 'delete' ? [one.object.metadata.name] : [],
    );
    assert.deepEqual(names, removed);
  });
}
