// What an executor's container may use, by the limits of its tasks.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Resource } from '#wire/mesos/v1.ts';
import { Agent, FRAMEWORK } from './core-fixture.ts';
import { boundsOf } from './executor-bounds.ts';

const of = (cpus: number, mem: number): Resource[] => [
  { name: 'cpus', type: 'SCALAR', scalar: { value: cpus } },
  { name: 'mem', type: 'SCALAR', scalar: { value: mem } },
];
const scalars = (values: Readonly<Record<string, number>>) =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { value }]));

test('limits of tasks, requests of those without, and what the executor asked for', () => {
  const plain = { resources: of(1, 64) };
  const bounded = { resources: of(1, 64), limits: scalars({ cpus: 2, mem: 256 }) };
  const free = { resources: of(1, 64), limits: scalars({ cpus: Infinity }) };
  const table: readonly (readonly [
    readonly { resources: Resource[] }[],
    Readonly<Record<string, number>>,
  ])[] = [
    [[], {}],
    [[plain, plain], {}],
    [[bounded], { cpus: 2.5, mem: 288 }],
    [[bounded, plain], { cpus: 3.5, mem: 352 }],
    [[free, plain], { cpus: Infinity }],
    [[free, bounded], { cpus: Infinity, mem: 352 }],
  ];
  for (const [tasks, expected] of table) {
    assert.deepEqual(boundsOf(of(0.5, 32), tasks), scalars(expected));
  }
});

test('a container of an executor is told of the limits of its tasks, from its launch on', () => {
  const agent = Agent.registered();
  const executor = {
    executor_id: { value: 'e' },
    command: { value: 'true' },
    resources: of(0.5, 32),
  };
  const task = { command: undefined, executor, resources: of(1, 64) };
  const told = () =>
    agent.effects
      .splice(0)
      .flatMap((one) =>
        one.kind === 'launch-container'
          ? [one.launch.limits]
          : one.kind === 'update-container'
            ? [one.limits]
            : [],
      );
  agent.runTask('plain', FRAMEWORK, task);
  assert.deepEqual(told(), [{}]);
  agent.subscribe('e');
  agent.runTask('bounded', FRAMEWORK, { ...task, limits: scalars({ mem: 256 }) });
  assert.deepEqual(told().at(-1), scalars({ mem: 352 }));
  agent.update('e', 'bounded', 'TASK_FINISHED');
  assert.deepEqual(told().at(-1), {});
});
