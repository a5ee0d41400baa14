// Stories of the built-in executors on told time.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExitStatus } from '#env/process.ts';
import type { TaskInfo } from '#wire/mesos/v1.ts';
import { BuiltinExecutor, type BuiltinEffect, exitMessage } from './core.ts';

function aTask(id: string, more: Partial<TaskInfo> = {}): TaskInfo {
  return { name: id, task_id: { value: id }, agent_id: { value: 'a' }, ...more };
}

const nothingFound = { healthy: undefined, status: undefined };
const exited = (code: number): ExitStatus => ({ kind: 'exited', code, at: 0 });
const signaled = (signal: number): ExitStatus => ({ kind: 'signaled', signal, at: 0 });

function newExecutor(reportsKilling = false): BuiltinExecutor {
  let count = 0;
  const nextContainer = (): string => `c${(count += 1)}`;
  return new BuiltinExecutor({ reportsKilling, killGraceMs: 3_000, nextContainer });
}

function words(effects: readonly BuiltinEffect[]): string[] {
  return effects.map((effect) => {
    switch (effect.kind) {
      case 'start':
        return `start ${effect.task.task_id.value}`;
      case 'signal':
        return `${effect.signal} ${effect.taskId}`;
      case 'update': {
        const { taskId, state, reason, healthy } = effect;
        const health = healthy === undefined ? undefined : `healthy=${healthy}`;
        return [taskId, state, reason, health].filter(Boolean).join(' ');
      }
      case 'probe':
        return `${effect.probe.kind} ${effect.taskId}`;
      default:
        return effect.kind;
    }
  });
}

function running(more: Partial<TaskInfo> = {}, reportsKilling = false): BuiltinExecutor {
  const executor = newExecutor(reportsKilling);
  assert.deepEqual(words(executor.launch([aTask('t', more)], false, 0)), [
    't TASK_STARTING',
    'start t',
  ]);
  assert.deepEqual(words(executor.started('t', 0)), ['t TASK_RUNNING']);
  return executor;
}

const ends = [
  { name: 'exit 0', status: exited(0), want: 't TASK_FINISHED' },
  { name: 'exit 3', status: exited(3), want: 't TASK_FAILED' },
  { name: 'a signal', status: signaled(11), want: 't TASK_FAILED' },
  {
    name: 'no memory',
    status: { ...signaled(9), oomKilled: true },
    want: 't TASK_FAILED REASON_CONTAINER_LIMITATION_MEMORY',
  },
] as const;
for (const { name, status, want } of ends) {
  test(`BuiltinExecutor.exited() by ${name} is ${want}`, () => {
    assert.deepEqual(words(running().exited('t', status, 1)), [want, 'done']);
  });
}

test('BuiltinExecutor.kill() signals, waits for the grace, then kills', () => {
  const executor = running({}, true);
  assert.deepEqual(words(executor.kill('t', undefined, 0)), [
    't TASK_KILLING',
    'remember',
    'SIGTERM t',
  ]);
  assert.equal(executor.nextAt(), 3_000);
  assert.deepEqual(words(executor.kill('t', { grace_period: { nanoseconds: 9e9 } }, 0)), []);
  assert.equal(executor.nextAt(), 3_000, 'a longer grace does not lengthen');
  executor.kill('t', { grace_period: { nanoseconds: 1e9 } }, 0);
  assert.deepEqual(words(executor.onTick(1_000)), ['SIGKILL t']);
  assert.deepEqual(words(executor.exited('t', signaled(9), 1_001)), ['t TASK_KILLED', 'done']);
});

test('BuiltinExecutor.kill() of a task that then succeeds is TASK_FINISHED', () => {
  const executor = running();
  executor.kill('t', undefined, 0);
  assert.deepEqual(words(executor.exited('t', exited(0), 1)), ['t TASK_FINISHED', 'done']);
});

test('BuiltinExecutor.kill() before the process is there waits for it', () => {
  const executor = newExecutor();
  executor.launch([aTask('t')], false, 0);
  assert.deepEqual(words(executor.kill('t', undefined, 0)), ['remember', 'give-up']);
  assert.deepEqual(words(executor.started('t', 5)), ['t TASK_RUNNING', 'remember', 'SIGTERM t']);
});

test('BuiltinExecutor.startFailed() of a task that was to be killed tells that', () => {
  const executor = newExecutor();
  executor.launch([aTask('t')], false, 0);
  executor.kill('t', undefined, 0);
  assert.deepEqual(words(executor.startFailed('t', 'aborted', 5)), ['t TASK_KILLED', 'done']);
});

test('BuiltinExecutor.resume() goes on with a kill that an earlier life had begun', () => {
  const earlier = running();
  earlier.kill('t', undefined, 1_000);
  const [memory] = earlier.memory();
  assert.ok(memory !== undefined);
  assert.deepEqual(memory.killing, { by: 'kill', at: 4_000 });
  const past = { wasReportedRunning: true, startedAt: 0, checks: nothingFound };
  const executor = newExecutor();
  assert.deepEqual(words(executor.resume(memory, 'there', past)), ['SIGTERM t']);
  assert.equal(executor.nextAt(), 4_000);
  assert.deepEqual(words(executor.onTick(4_000)), ['SIGKILL t']);
  assert.deepEqual(words(executor.exited('t', signaled(9), 4_001)), ['t TASK_KILLED', 'done']);
  const late = newExecutor();
  late.resume(memory, 'never-started', past);
  assert.deepEqual(words(late.started('t', 5_000)), ['t TASK_RUNNING', 'remember', 'SIGTERM t']);
});

test('BuiltinExecutor.onTick() ends what has run for too long, without grace', () => {
  const executor = running({ max_completion_time: { nanoseconds: 2e9 } });
  assert.deepEqual(words(executor.onTick(1_999)), []);
  assert.deepEqual(words(executor.onTick(2_000)), ['remember', 'SIGKILL t']);
  assert.deepEqual(words(executor.exited('t', signaled(9), 2_001)), [
    't TASK_FAILED REASON_MAX_COMPLETION_TIME_REACHED',
    'done',
  ]);
});

test('BuiltinExecutor: a group ends whole when one fails, not when one finishes', () => {
  const executor = newExecutor();
  executor.launch([aTask('a'), aTask('b'), aTask('c')], true, 0);
  executor.launch([aTask('other')], true, 0);
  for (const id of ['a', 'b', 'c', 'other']) executor.started(id, 0);
  assert.deepEqual(words(executor.exited('a', exited(0), 1)), ['a TASK_FINISHED']);
  assert.deepEqual(words(executor.exited('b', exited(1), 2)), [
    'b TASK_FAILED',
    'remember',
    'SIGTERM c',
  ]);
  assert.deepEqual(words(executor.exited('c', signaled(15), 3)), ['c TASK_KILLED']);
  assert.deepEqual(words(executor.exited('other', exited(0), 4)), ['other TASK_FINISHED', 'done']);
});

test('BuiltinExecutor.resume() tells what was not told, starts what had not started', () => {
  const executor = newExecutor();
  const past = { wasReportedRunning: false, startedAt: 0, checks: nothingFound };
  const memory = { container: 'c', group: undefined, graceMs: 3_000, completeBy: undefined };
  const task = aTask('b');
  const first = executor.resume({ ...memory, taskId: 'a', task: undefined }, 'there', past);
  assert.deepEqual(words(first), ['a TASK_RUNNING']);
  const second = executor.resume({ ...memory, taskId: 'b', task }, 'never-started', past);
  assert.deepEqual(words(second), ['start b']);
});

test('BuiltinExecutor.probed(): an unhealthy task is killed with its grace and told as unhealthy', () => {
  const health_check = {
    type: 'TCP',
    tcp: { port: 1 },
    delay_seconds: 1,
    interval_seconds: 1,
    grace_period_seconds: 0,
    consecutive_failures: 2,
  } as const;
  const executor = running({ health_check }, true);
  const fail = { type: 'TCP', succeeded: false } as const;
  const reason = 'REASON_TASK_HEALTH_CHECK_STATUS_UPDATED';
  assert.equal(executor.nextAt(), 1_000);
  assert.deepEqual(words(executor.onTick(1_000)), ['health t']);
  assert.deepEqual(words(executor.probed('t', 'health', fail, 1_000)), [
    `t TASK_RUNNING ${reason} healthy=false`,
  ]);
  assert.deepEqual(words(executor.onTick(2_000)), ['health t']);
  assert.deepEqual(words(executor.probed('t', 'health', fail, 2_000)), [
    `t TASK_RUNNING ${reason} healthy=false`,
    't TASK_KILLING healthy=false',
    'remember',
    'SIGTERM t',
  ]);
  assert.deepEqual(words(executor.probed('t', 'health', fail, 2_500)), [], 'it is being killed');
  assert.equal(executor.nextAt(), 5_000);
  assert.deepEqual(words(executor.exited('t', signaled(15), 3_000)), [
    't TASK_KILLED healthy=false',
    'done',
  ]);
});

test('BuiltinExecutor.probed(): statuses carry check and health together', () => {
  const executor = running({
    check: { type: 'HTTP', http: { port: 1 }, delay_seconds: 0 },
    health_check: { type: 'TCP', tcp: { port: 1 }, delay_seconds: 0 },
  });
  assert.deepEqual(words(executor.onTick(0)), ['check t', 'health t']);
  const first = executor.probed('t', 'health', { type: 'TCP', succeeded: true }, 1);
  const second = executor.probed('t', 'check', { type: 'HTTP', statusCode: 404 }, 1);
  const shown = [...first, ...second].map((one) =>
    one.kind === 'update' ? [one.healthy, one.checkStatus?.http] : [],
  );
  assert.deepEqual(shown, [
    [true, {}],
    [true, { status_code: 404 }],
  ]);
  const [end] = executor.exited('t', exited(1), 2);
  assert.deepEqual(end?.kind === 'update' && [end.healthy, end.checkStatus?.http], [undefined, {}]);
});

test('exitMessage() words endings as Mesos does', () => {
  assert.equal(exitMessage(exited(3)), 'Command exited with status 3');
  assert.equal(exitMessage(signaled(15)), 'Command terminated with signal Terminated');
});
