// Restart and stop decisions of the supervisor, as tables over virtual time.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SupervisorCore, type SupervisorEffect } from './core.ts';

const options = {
  backOffMsMin: 100,
  backOffMsMax: 1_000,
  healthyAfterMs: 5_000,
  stopGraceMs: 2_000,
  startTriesMax: 3,
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

function ready(core: SupervisorCore): SupervisorCore {
  for (const name of ['master', 'agent-1', 'kube-default']) core.onReady(name, 'url', 0);
  return core;
}

test('a part that cannot be started at all ends everything, and says why', () => {
  const core = three();
  core.onReady('agent-1', 'url', 5);
  core.onReady('kube-default', 'url', 5);
  for (const now of [10, 10_010]) {
    core.onExit('master', 'exit status 1: port in use', now);
    assert.equal(core.failure, undefined);
    core.onTick(now + 1_000);
  }
  const last = core.onExit('master', 'exit status 1: port in use', 20_020);
  assert.deepEqual(show(last), ['SIGTERM kube-default', 'wake 22020']);
  assert.deepEqual(core.failure, { name: 'master', exit: 'exit status 1: port in use' });
});

test('what was ready once, or comes later, is tried for ever', () => {
  const core = ready(three());
  core.add({ name: 'kube-b', args: [], stage: 2 }, 0);
  for (let now = 10; now < 20_000; now += 2_000) {
    for (const name of ['master', 'kube-b']) core.onExit(name, '1', now);
    assert.deepEqual(show(core.onTick(now + 1_000)), ['start master', 'start kube-b']);
  }
  assert.equal(core.isStopping, false);
});

test('SupervisorCore restarts a part that ran long at once, and one that did not with back-off', () => {
  const core = ready(three());
  assert.deepEqual(show(core.onExit('master', 'SIGKILL', 6_000)), ['wake 6000']);
  assert.deepEqual(show(core.onTick(6_000)), ['start master']);
  assert.deepEqual(show(core.onExit('master', '1', 6_010)), ['wake 6110']);
  assert.deepEqual(show(core.onTick(6_050)), ['wake 6110']);
  assert.deepEqual(show(core.onTick(6_110)), ['start master']);
  assert.deepEqual(show(core.onExit('master', '1', 6_120)), ['wake 6320']);
});

test('SupervisorCore never waits longer than the maximum', () => {
  const core = ready(three());
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

test('a tick that comes early waits again, for a start and for the end of a grace', () => {
  const core = ready(three());
  core.onExit('master', 'exit status 1', 10);
  assert.deepEqual(show(core.onTick(109)), ['wake 110']);
  assert.deepEqual(show(core.onTick(110)), ['start master']);
  core.stop('keep-tasks', 200);
  assert.deepEqual(show(core.onTick(2_199)), ['wake 2200']);
  assert.deepEqual(show(core.onTick(2_200)), ['SIGKILL kube-default']);
});
