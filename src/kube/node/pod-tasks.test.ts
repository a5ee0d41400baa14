// What becomes of a launch, by what is known of its pod.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decideLaunch, type PodTask } from './pod-tasks.ts';

const a = (taskId: string, hasBegun: boolean, hasEnded: boolean): PodTask => ({
  taskId,
  hasBegun,
  hasEnded,
});

const cases: readonly [string, PodTask | undefined, string, string][] = [
  ['nothing is known', undefined, 'p', 'begin'],
  ['nothing is known of the first', undefined, 'p.2', 'begin'],
  ['it waits for its pod', a('p', false, false), 'p', 'repeat'],
  ['it has ended', a('p', true, true), 'p', 'repeat'],
  ['the first waits for its pod', a('p', false, false), 'p.2', 'take-over'],
  ['the first runs', a('p', true, false), 'p.2', 'take-over'],
  ['the pod has ended', a('p', true, true), 'p.2', 'take-over'],
  ['the first was killed before its pod was seen', a('p', false, true), 'p.2', 'begin'],
  ['the second runs', a('p.2', true, false), 'p', 'refuse'],
  ['the tenth runs', a('p.10', true, false), 'p.9', 'refuse'],
  ['the ninth runs', a('p.9', true, false), 'p.10', 'take-over'],
];
for (const [when, known, taskId, decision] of cases) {
  test(`a launch as ${taskId} when ${when}: ${decision}`, () => {
    assert.equal(decideLaunch(known, taskId), decision);
  });
}
