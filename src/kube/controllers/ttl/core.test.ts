// The steps of the time that nodes may keep what they read, up and down, and what a node is told.
import assert from 'node:assert/strict';
import test from 'node:test';
import { nodes } from '#kube/client/resources.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { reconcileTtl, stepFor, TTL } from './core.ts';

const node = (ttl?: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'n', annotations: ttl === undefined ? {} : { [TTL]: ttl } },
});

test('stepFor() changes late, upwards and downwards', () => {
  const cases: readonly (readonly [count: number, before: number, step: number])[] = [
    [0, 0, 0],
    [100, 0, 0],
    [101, 0, 1],
    [90, 1, 1],
    [89, 1, 0],
    [500, 1, 1],
    [501, 1, 2],
    [449, 2, 1],
    [2_001, 0, 4],
    [1_800, 4, 4],
    [1_799, 4, 3],
    [5, 4, 0],
  ];
  for (const [count, before, step] of cases) assert.equal(stepFor(count, before), step);
});

test('reconcileTtl() writes what is not told yet', () => {
  const cases: readonly (readonly [told: string | undefined, step: number, written?: string])[] = [
    [undefined, 0, '0'],
    ['0', 0],
    ['0', 1, '15'],
    ['015', 1],
    ['soon', 4, '300'],
    ['', 0, '0'],
  ];
  for (const [told, step, written] of cases) {
    const object = node(told);
    const patch = { metadata: { annotations: { [TTL]: written } } };
    const effects =
      written === undefined
        ? []
        : [{ kind: 'patch', resource: nodes, object, type: 'strategic', patch }];
    assert.deepEqual(reconcileTtl(object, step).effects, effects);
  }
});
