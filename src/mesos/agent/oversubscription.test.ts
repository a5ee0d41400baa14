// Estimators and QoS controllers: what they say of measured agents, as tables.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Resource } from '#wire/mesos/v1.ts';
import { controllerOf, estimatorOf, type Measured } from './oversubscription.ts';

const cpus = (value: number, isLent = false): Resource => ({
  name: 'cpus',
  type: 'SCALAR',
  scalar: { value },
  ...(isLent ? { revocable: {} } : {}),
});

function measured(
  executors: readonly { id: string; given?: number; lent?: number; used?: number }[],
  more: Partial<Measured> = {},
): Measured {
  return {
    cpusTotal: 4,
    load5: 0,
    load15: 0,
    ...more,
    executors: executors.map(({ id, given = 0, lent = 0, used }) => ({
      key: { frameworkId: 'f', executorId: id },
      containerId: id,
      resources: [...(given > 0 ? [cpus(given)] : []), ...(lent > 0 ? [cpus(lent, true)] : [])],
      cpusUsed: used,
    })),
  };
}

test('oversubscription: a fixed estimate is what its parameter says, all revocable', () => {
  const estimate = estimatorOf('org_apache_mesos_FixedResourceEstimator', {
    org_apache_mesos_FixedResourceEstimator: { resources: 'cpus:3;mem:64' },
  });
  assert.deepEqual(
    estimate?.(measured([])).map((one) => [one.name, one.scalar?.value, one.revocable]),
    [
      ['cpus', 3, {}],
      ['mem', 64, {}],
    ],
  );
});

test('oversubscription: slack is what those with a right to it do not use, but the headroom', () => {
  const estimate = estimatorOf('strata_SlackResourceEstimator', {
    strata_SlackResourceEstimator: { cpus_headroom: '0.5' },
  });
  const told = (one: Measured): number => estimate?.(one)[0]?.scalar?.value ?? 0;
  assert.equal(told(measured([{ id: 'a', given: 3 }])), 0, 'nothing is known yet');
  assert.equal(told(measured([{ id: 'a', given: 3, used: 0.5 }])), 2);
  // One look is smoothed, a lasting change is not.
  assert.equal(told(measured([{ id: 'a', given: 3, used: 3 }])), 1.25);
  for (let look = 0; look < 20; look += 1) told(measured([{ id: 'a', given: 3, used: 3 }]));
  assert.equal(told(measured([{ id: 'a', given: 3, used: 3 }])), 0);
  // What is lent is no slack, however idle.
  assert.equal(told(measured([{ id: 'b', lent: 8, used: 0 }])), 0);
});

test('oversubscription: a load too high ends all that is revocable, and nothing else', () => {
  const name = 'org_apache_mesos_LoadQoSController';
  const parameters = { load_threshold_5min: '4', load_threshold_15min: '3' };
  const correct = controllerOf(name, { [name]: parameters });
  const all = [
    { id: 'mine', given: 1 },
    { id: 'lent', lent: 1 },
    { id: 'both', given: 1, lent: 1 },
  ];
  const ended = (load5: number, load15: number): string[] =>
    correct?.(measured(all, { load5, load15 })).map((one) => one.containerId) ?? [];
  assert.deepEqual(ended(4, 3), []);
  assert.deepEqual(ended(4.1, 0), ['lent', 'both']);
  assert.deepEqual(ended(0, 3.1), ['lent', 'both']);
});

test('oversubscription: cpus that are short twice in a row end the greediest revocable one', () => {
  const correct = controllerOf('strata_SlackQoSController', {});
  const busy = measured([
    { id: 'mine', given: 4, used: 2 },
    { id: 'modest', lent: 2, used: 0.5 },
    { id: 'greedy', lent: 2, used: 1.4 },
  ]);
  const idle = measured([{ id: 'mine', given: 4, used: 2 }]);
  const ended = (one: Measured): string[] => correct?.(one).map((it) => it.containerId) ?? [];
  assert.deepEqual(ended(busy), []);
  assert.deepEqual(ended(idle), []);
  assert.deepEqual(ended(busy), []);
  assert.deepEqual(ended(busy), ['greedy']);
  assert.deepEqual(ended(busy), [], 'the next one only when it was not enough');
});

test('oversubscription: what is not there or cannot be read is told', () => {
  assert.equal(estimatorOf(undefined, {}), undefined);
  assert.throws(() => estimatorOf('other', {}), /"other" is none of org_apache_mesos_Fixed/);
  assert.throws(() => estimatorOf('org_apache_mesos_FixedResourceEstimator', {}), /needs the/);
  const parameters = { cpus_reserve: 'x' };
  assert.throws(
    () => controllerOf('strata_SlackQoSController', { strata_SlackQoSController: parameters }),
    /cpus_reserve="x" is no number/,
  );
});
