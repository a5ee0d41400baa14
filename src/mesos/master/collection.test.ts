// What the master forgets of agents that never came back, and when; and of tasks that nobody can reach.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MasterCore } from './core.ts';
import { testOptions } from './core-fixture.ts';
import type { MasterEffect } from './types.ts';

const DAY_MS = 86_400_000;
const start = 100 * DAY_MS;

function core(unreachable: readonly (readonly [string, number])[], countMax = 100): MasterCore {
  const collection = { intervalMs: 1_000, ageMsMax: 14 * DAY_MS, countMax };
  const recovered = {
    agents: [],
    unreachable: unreachable.map(([agentId, at]) => ({ agentId, at })),
    gone: [{ agentId: 'gone', at: start - 20 * DAY_MS }],
    weights: [],
  };
  return new MasterCore({ ...testOptions, collection }, recovered, start);
}

/** Everything that is to be made durable is so at once. */
function tick(master: MasterCore, now: number): string[] {
  const forgotten: string[] = [];
  const perform = (effects: readonly MasterEffect[]): void => {
    for (const effect of effects) {
      if (effect.kind !== 'persist') continue;
      if (effect.change.kind === 'forget-agent') forgotten.push(effect.change.agentId);
      perform(master.confirm(effect.token, now));
    }
  };
  perform(master.onTick(now));
  return forgotten;
}

test('those that are too old go, when it is time to look', () => {
  const master = core([
    ['old', start - 15 * DAY_MS],
    ['new', start - DAY_MS],
  ]);
  assert.deepEqual(tick(master, start + 999), []);
  assert.equal(master.nextDeadline(), start + 1_000);
  assert.deepEqual(tick(master, start + 1_000), ['old', 'gone']);
  assert.deepEqual([...master.state.unreachable.keys()], ['new']);
  assert.deepEqual([...master.state.gone.keys()], []);
  assert.deepEqual(tick(master, start + 13 * DAY_MS), []);
  assert.deepEqual(tick(master, start + 13 * DAY_MS + 1_000), ['new']);
  assert.equal(master.nextDeadline(), Infinity);
});

test('of too many the oldest go', () => {
  const ages = [3, 1, 4, 2].map((days) => [`d${days}`, start - days * DAY_MS] as const);
  const master = core(ages, 2);
  assert.deepEqual(tick(master, start + 1_000), ['d4', 'd3', 'gone']);
});
