// Whose turn it is to have its pods evicted, by how much of a zone is not ready.
import assert from 'node:assert/strict';
import test from 'node:test';
import type { KubeObject } from '#kube/meta/object.ts';
import { Zones } from './zones.ts';

interface Options {
  readonly zone?: string;
  readonly isExcluded?: boolean;
}

function node(name: string, status: string, { zone, isExcluded }: Options = {}): KubeObject {
  const labels = {
    ...(zone === undefined ? {} : { 'topology.kubernetes.io/zone': zone }),
    ...(isExcluded === true ? { 'node.kubernetes.io/exclude-disruption': '' } : {}),
  };
  const conditions = [{ type: 'Ready', status }];
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, labels }, status: { conditions } };
}

function fill(zones: Zones, counts: Record<string, number>, options: Options = {}): KubeObject {
  for (const [status, count] of Object.entries(counts)) {
    for (let i = 0; i < count; i++) {
      const one = node(`${options.zone} ${status} ${i}`, status, options);
      zones.count(one.metadata.name ?? '', one);
    }
  }
  return node('next', 'Unknown', options);
}

test('how long the next node of a zone waits', () => {
  const cases: readonly (readonly [ready: number, silent: number, pauseMs: number])[] = [
    [5, 1, 10_000],
    [1, 2, 10_000],
    [3, 3, 10_000],
    [2, 3, Infinity],
    [1, 49, Infinity],
    [22, 29, 100_000],
    [25, 26, 10_000],
    [0, 60, 10_000],
  ];
  for (const [ready, silent, pauseMs] of cases) {
    const zones = new Zones();
    const next = fill(zones, { True: ready, Unknown: silent });
    const name = `${ready} ready, ${silent} not`;
    const isNever = pauseMs === Infinity;
    assert.equal(zones.turnInMs(next, 5_000), isNever ? Infinity : 0, name);
    assert.equal(zones.turnInMs(next, 6_000), isNever ? Infinity : pauseMs - 1_000, name);
    if (!isNever) assert.equal(zones.turnInMs(next, 5_000 + pauseMs), 0, name);
  }
});

test('zones have turns of their own, and one that is gone is no sign while another is heard', () => {
  const zones = new Zones();
  const gone = fill(zones, { Unknown: 4 }, { zone: 'gone' });
  assert.equal(zones.isCutOff, true);
  const well = fill(zones, { True: 3, False: 1 }, { zone: 'well' });
  assert.equal(zones.isCutOff, false);
  assert.deepEqual([zones.turnInMs(gone, 0), zones.turnInMs(well, 0)], [0, 0]);
  assert.deepEqual([zones.turnInMs(gone, 0), zones.turnInMs(well, 0)], [10_000, 10_000]);
});

test('count() tells when turns change', () => {
  const zones = new Zones();
  const count = (name: string, status: string, options?: Options): boolean =>
    zones.count(name, node(name, status, options));
  assert.equal(count('a', 'True'), false);
  assert.equal(count('b', 'Unknown'), false);
  assert.equal(count('c', 'Unknown'), false);
  assert.equal(count('d', 'Unknown', { isExcluded: true }), false);
  assert.equal(count('e', 'False'), true, 'most are silent');
  assert.equal(count('e', 'False', { zone: 'other' }), true, 'one went to another zone');
  assert.equal(count('e', 'False', { zone: 'other' }), false);
  assert.equal(count('a', 'False'), true, 'none is ready');
  assert.equal(zones.isCutOff, true);
  assert.equal(zones.count('none', undefined), false);
  assert.equal(count('a', 'True', { isExcluded: true }), false, 'one that is not counted');
  for (const name of ['b', 'c']) assert.equal(zones.count(name, undefined), false);
  assert.equal(zones.count('e', undefined), true, 'there is none');
  assert.equal(zones.isCutOff, false);
});
