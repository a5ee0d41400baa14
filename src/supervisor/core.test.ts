// Restart and stop decisions of the supervisor, as tables over virtual time.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SupervisorCore, type SupervisorEffect } from './core.ts';

const options = {
  backOffMsMin: 100,
  backOffMsMax: 1_000,
  healthyAfterMs: 5_000,
  stopGraceMs: 2_000,
};
const show = (effects: readonly SupervisorEffect[]): string[] =>
  effects
    .filter((effect) => effect.kind !== 'changed')
    .map((effect) =>
      effect.kind === 'start'
        ? `start ${effect.part.name}`
        : effect.kind === 'signal'
          ? `${effect.signal} ${effect.name}`
          : effect.kind === 'wake-at'
            ? `wake ${effect.at}`
            : effect.kind,
    );

function three(): SupervisorCore {
  const core = new SupervisorCore(options);
  core.add({ name: 'master', args: [], stage: 0 }, 0);
  core.add({ name: 'agent-1', args: [], stage: 1 }, 0);
  core.add({ name: 'kube-default', args: [], stage: 2 }, 0);
  return core;
}

test('SupervisorCore restarts a part that ran long at once, and one that did not with back-off', () => {
  const core = three();
  assert.deepEqual(show(core.onExit('master', 'SIGKILL', 6_000)), ['wake 6000']);
  assert.deepEqual(show(core.onTick(6_000)), ['start master']);
  assert.deepEqual(show(core.onExit('master', '1', 6_010)), ['wake 6110']);
  assert.deepEqual(show(core.onTick(6_050)), []);
  assert.deepEqual(show(core.onTick(6_110)), ['start master']);
  assert.deepEqual(show(core.onExit('master', '1', 6_120)), ['wake 6320']);
});

test('SupervisorCore never waits longer than the maximum', () => {
  const core = three();
  let now = 0;
  for (let round = 0; round < 40; round++) {
    core.onExit('master', '1', now);
    now += 1_000;
    assert.deepEqual(show(core.onTick(now)), ['start master']);
  }
});

test('stop() goes stage by stage, the last started first', () => {
  const core = three();
  assert.deepEqual(show(core.stop('kill-tasks', 10)), ['SIGTERM kube-default', 'wake 2010']);
  assert.deepEqual(show(core.onExit('kube-default', '0', 20)), ['SIGUSR1 agent-1', 'wake 2020']);
  assert.deepEqual(show(core.onExit('agent-1', '0', 30)), ['SIGTERM master', 'wake 2030']);
  assert.deepEqual(show(core.onExit('master', '0', 40)), ['finished']);
});

test('stop() leaves tasks running when asked, and kills a part that does not go', () => {
  const core = three();
  core.stop('keep-tasks', 0);
  assert.deepEqual(show(core.onTick(2_000)), ['SIGKILL kube-default']);
  assert.deepEqual(show(core.onExit('kube-default', 'SIGKILL', 2_001)), [
    'SIGTERM agent-1',
    'wake 4001',
  ]);
  assert.deepEqual(show(core.stop('kill-tasks', 2_002)), []);
});
