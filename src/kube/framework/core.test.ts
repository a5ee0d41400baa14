// The framework core's decisions, event by event, written as short stories.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aSchedulingPod } from '#kube/scheduler/scheduling-fixture.ts';
import { noAmounts, type SchedulingPod } from '#kube/scheduler/types.ts';
import { FrameworkCore } from './core.ts';
import type { Agent, FrameworkEffect, Offer, PodView, TaskStatus } from './types.ts';

const amounts = { cpuMilli: 4_000, memoryBytes: 2 ** 32, ephemeralStorageBytes: 2 ** 33, gpus: 0 };
const agent: Agent = {
  id: 'A',
  hostname: 'h',
  ip: '127.0.0.1',
  port: 5051,
  nodeName: 'n',
  attributes: {},
  region: undefined,
  zone: undefined,
  capacity: amounts,
  ports: [{ begin: 31_000, end: 32_000 }],
  isReachable: true,
};

function aView(
  uid: string,
  more: Partial<SchedulingPod> = {},
  view: Partial<PodView> = {},
): PodView {
  const pod = aSchedulingPod(uid, more);
  const seen = { phase: 'Pending', isDeleting: false, hasStarted: false, attempt: undefined };
  return { pod, ...seen, ...view };
}

const anOffer = (id: string): Offer => ({
  id,
  agentId: 'A',
  amounts,
  ports: agent.ports,
  hasExecutor: false,
});

function anUpdate(taskId: string, state: string, more: Partial<TaskStatus> = {}): TaskStatus {
  const common = { source: 'SOURCE_EXECUTOR', reason: '', message: '', uuid: undefined };
  return { taskId, state, agentId: 'A', ...common, ...more };
}

function aCore(): FrameworkCore {
  const core = new FrameworkCore({
    executorOverhead: { ...noAmounts, cpuMilli: 100, memoryBytes: 2 ** 27 },
    leastRequest: { ...noAmounts, cpuMilli: 10, memoryBytes: 2 ** 20 },
    refuseSeconds: 5,
  });
  core.onAgent(agent);
  core.onNode({ name: 'n', labels: {}, taints: [], isUnschedulable: false });
  core.onSubscribed();
  return core;
}

const kinds = (effects: readonly FrameworkEffect[]): string[] =>
  effects.map(({ kind }) => kind).filter((kind) => kind !== 'node-changed');

test('FrameworkCore binds first, then launches all pods of an agent by one accept', () => {
  const core = aCore();
  assert.deepEqual(kinds(core.onPod(aView('p'))), ['revive']);
  assert.deepEqual(kinds(core.onPod(aView('q'))), ['revive']);
  assert.deepEqual(kinds(core.onOffers([anOffer('o')])), ['bind', 'bind']);
  assert.deepEqual(kinds(core.onBound('p', 'done')), []);
  const effects = core.onBound('q', 'done');
  assert.deepEqual(kinds(effects), ['accept', 'suppress']);
  const accept = effects.find((effect) => effect.kind === 'accept');
  assert.deepEqual(
    accept?.launches.map(({ uid }) => uid),
    ['p', 'q'],
  );
  assert.equal(core.allocatable('A').held.cpuMilli, 200);
});

test('FrameworkCore declines and suppresses when nothing waits', () => {
  assert.deepEqual(kinds(aCore().onOffers([anOffer('o')])), ['decline', 'suppress']);
});

test('FrameworkCore says once why a pod cannot be placed', () => {
  const core = aCore();
  core.onPod(aView('big', { requests: { ...noAmounts, cpuMilli: 9_000 } }));
  assert.deepEqual(kinds(core.onOffers([anOffer('o')])), ['unschedulable', 'decline']);
  assert.deepEqual(kinds(core.onOffers([anOffer('o2')])), ['decline']);
});

test('FrameworkCore drops a pod that vanished while it was bound', () => {
  const core = aCore();
  core.onPod(aView('p'));
  core.onOffers([anOffer('o')]);
  core.onPodGone('p');
  assert.deepEqual(kinds(core.onBound('p', 'refused')), ['decline', 'suppress']);
});

test('FrameworkCore adopts running tasks after a restart and starts nothing twice', () => {
  const core = new FrameworkCore({
    executorOverhead: noAmounts,
    leastRequest: noAmounts,
    refuseSeconds: 5,
  });
  core.onAgent(agent);
  core.onPod(aView('p', { nodeName: 'n' }, { hasStarted: true, phase: 'Running' }));
  assert.deepEqual(kinds(core.onSubscribed()), ['reconcile']);
  core.onUpdate(anUpdate('p', 'TASK_RUNNING', { reason: 'REASON_RECONCILIATION' }));
  assert.equal(core.isExecutorRunning('A'), true);
  assert.deepEqual(kinds(core.onOffers([anOffer('o')])), ['decline', 'suppress']);
});

test('FrameworkCore launches a bound pod whose launch never happened, on its node', () => {
  const core = aCore();
  core.onPod(aView('p', { nodeName: 'n' }));
  const lost = { source: 'SOURCE_MASTER', reason: 'REASON_RECONCILIATION' };
  assert.deepEqual(kinds(core.onUpdate(anUpdate('p', 'TASK_LOST', lost))), ['revive']);
  const noted = core.onOffers([anOffer('o')]);
  assert.deepEqual(kinds(noted), ['note-attempt'], 'which attempt it is outlives this core');
  // The API may tell of the number before it answers.
  core.onPod(aView('p', { nodeName: 'n' }, { attempt: 2 }));
  const effects = core.onNoted('p', 'done');
  assert.deepEqual(kinds(effects), ['accept', 'suppress']);
  assert.deepEqual(launchedBy(effects), ['p.2']);
});

test('FrameworkCore refuses a pod that was bound by hand to a node whose port is taken', () => {
  const core = aCore();
  const hostPorts = [{ port: 8080, protocol: 'TCP', hostIp: '' }];
  const lost = { source: 'SOURCE_MASTER', reason: 'REASON_RECONCILIATION' };
  core.onPod(aView('has', { nodeName: 'n', hostPorts }, { hasStarted: true, phase: 'Running' }));
  core.onUpdate(anUpdate('has', 'TASK_RUNNING', { reason: 'REASON_RECONCILIATION' }));
  core.onPod(aView('wants', { nodeName: 'n', hostPorts }));
  const [effect] = core.onUpdate(anUpdate('wants', 'TASK_LOST', lost));
  assert.equal(effect?.kind === 'fail-pod' && effect.reason, 'NodePorts');
  assert.deepEqual(kinds(core.onOffers([anOffer('o')])), ['decline', 'suppress']);
  core.onPod(aView('wants', { nodeName: 'n', hostPorts }, { phase: 'Failed' }));
  // Another port, or the same one when it is free again.
  const other = [{ port: 8081, protocol: 'TCP', hostIp: '' }];
  core.onPod(aView('other', { nodeName: 'n', hostPorts: other }));
  assert.equal(kinds(core.onUpdate(anUpdate('other', 'TASK_LOST', lost))).at(-1), 'revive');
  core.onPodGone('has');
  core.onPod(aView('next', { nodeName: 'n', hostPorts }));
  assert.equal(kinds(core.onUpdate(anUpdate('next', 'TASK_LOST', lost))).at(-1), 'revive');
});

function launchedBy(effects: readonly FrameworkEffect[]): string[] {
  const accepted = effects.flatMap((one) => (one.kind === 'accept' ? one.launches : []));
  return accepted.map(({ taskId }) => taskId);
}

function askedBy(effects: readonly FrameworkEffect[]) {
  return effects.flatMap((one) => (one.kind === 'reconcile' ? one.tasks : []));
}

test('FrameworkCore asks about the attempt that is noted on the pod, and goes on counting from there', () => {
  const core = aCore();
  const effects = core.onPod(aView('p', { nodeName: 'n' }, { attempt: 4 }));
  assert.deepEqual(askedBy(effects), [{ taskId: 'p.4', agentId: 'A' }]);
  const lost = { source: 'SOURCE_MASTER', reason: 'REASON_RECONCILIATION' };
  core.onUpdate(anUpdate('p.4', 'TASK_LOST', lost));
  core.onOffers([anOffer('o')]);
  assert.deepEqual(launchedBy(core.onNoted('p', 'done')), ['p.5']);
  assert.deepEqual(core.onPodGone('p'), [{ kind: 'kill', taskId: 'p.5', agentId: 'A' }]);
});

test('FrameworkCore goes on with a pod that was taken for lost, and tells of itself before the next attempt', () => {
  const core = aCore();
  core.onPod(aView('p', { nodeName: 'n' }));
  const lost = { source: 'SOURCE_MASTER', reason: 'REASON_RECONCILIATION' };
  core.onUpdate(anUpdate('p', 'TASK_LOST', lost));
  core.onOffers([anOffer('o')]);
  core.onUpdate(anUpdate('p', 'TASK_RUNNING', { uuid: 'u' }));
  assert.deepEqual(kinds(core.onNoted('p', 'done')), ['decline', 'suppress']);
  assert.deepEqual(core.onPodGone('p'), [{ kind: 'kill', taskId: 'p', agentId: 'A' }]);
});

test('FrameworkCore asks with the id of an agent that it does not see, by what an earlier life has noted', () => {
  const core = aCore();
  core.onNodeRecord('far', 'B');
  const effects = core.onPod(aView('p', { nodeName: 'far' }, { hasStarted: true }));
  assert.deepEqual(askedBy(effects), [{ taskId: 'p', agentId: 'B' }]);
  assert.deepEqual(askedBy(core.askAgain()), [{ taskId: 'p', agentId: 'B' }]);
  // What is seen now counts more: the machine may be another agent by now.
  core.onAgent({ ...agent, id: 'C', nodeName: 'far' });
  const next = core.onPod(aView('q', { nodeName: 'far' }, { hasStarted: true }));
  assert.deepEqual(askedBy(next), [{ taskId: 'q', agentId: 'C' }]);
});

test('FrameworkCore asks about what is unreachable until there is word, at the agent that the node is by now', () => {
  const core = aCore();
  core.onPod(aView('p', { nodeName: 'n' }, { hasStarted: true }));
  core.onUpdate(anUpdate('p', 'TASK_RUNNING', { uuid: 'u' }));
  assert.deepEqual(askedBy(core.askAgain()), []);
  const away = { reason: 'REASON_RECONCILIATION', source: 'SOURCE_MASTER' };
  core.onUpdate(anUpdate('p', 'TASK_UNREACHABLE', away));
  assert.deepEqual(askedBy(core.askAgain()), [{ taskId: 'p', agentId: 'A' }]);
  core.onAgent({ ...agent, id: 'B' });
  assert.deepEqual(askedBy(core.askAgain()), [{ taskId: 'p', agentId: 'B' }]);
  const gone = anUpdate('p', 'TASK_GONE', { ...away, agentId: 'B' });
  assert.deepEqual(kinds(core.onUpdate(gone)), ['fail-pod']);
});

test('FrameworkCore asks a new master about what ran until it says something of it', () => {
  const core = aCore();
  core.onPod(aView('p', { nodeName: 'n' }, { hasStarted: true }));
  core.onUpdate(anUpdate('p', 'TASK_RUNNING', { uuid: 'u' }));
  core.onDisconnected();
  const asked = [{ taskId: 'p', agentId: 'A' }];
  assert.deepEqual(askedBy(core.onSubscribed()), asked);
  assert.deepEqual(
    askedBy(core.askAgain()),
    asked,
    'its agent may return, or be marked gone before',
  );
  core.onUpdate(anUpdate('p', 'TASK_RUNNING', { reason: 'REASON_RECONCILIATION' }));
  assert.deepEqual(askedBy(core.askAgain()), []);
});

test('FrameworkCore asks with an agent’s id as soon as it knows it', () => {
  const core = aCore();
  const effects = core.onPod(aView('p', { nodeName: 'far' }));
  assert.deepEqual(askedBy(effects), [{ taskId: 'p', agentId: undefined }]);
  core.onAgent({ ...agent, id: 'B', nodeName: 'far' });
  assert.deepEqual(askedBy(core.askAgain()), [{ taskId: 'p', agentId: 'B' }]);
});

test('FrameworkCore launches again on its node a pod whose binding it has not seen yet', () => {
  const core = aCore();
  core.onPod(aView('p'));
  core.onOffers([anOffer('o')]);
  core.onBound('p', 'done');
  const dropped = { source: 'SOURCE_MASTER', reason: 'REASON_INVALID_OFFERS' };
  assert.ok(kinds(core.onUpdate(anUpdate('p', 'TASK_DROPPED', dropped))).includes('revive'));
  // An older view of it comes late.
  core.onPod(aView('p'));
  assert.deepEqual(kinds(core.onOffers([anOffer('o2')])), ['note-attempt']);
  assert.deepEqual(launchedBy(core.onNoted('p', 'done')), ['p.2']);
});

test('FrameworkCore asks about a pod that turns out to be bound already', () => {
  const core = aCore();
  core.onPod(aView('p'));
  core.onOffers([anOffer('o')]);
  assert.deepEqual(kinds(core.onBound('p', 'refused')), ['decline', 'suppress']);
  assert.deepEqual(kinds(core.onPod(aView('p'))), []);
  const effects = core.onPod(aView('p', { nodeName: 'n' }));
  assert.deepEqual(askedBy(effects), [{ taskId: 'p', agentId: 'A' }]);
});

test('FrameworkCore fails a started pod whose task the substrate lost', () => {
  const core = aCore();
  core.onPod(aView('p', { nodeName: 'n' }, { hasStarted: true, phase: 'Running' }));
  const lost = { source: 'SOURCE_MASTER', reason: 'REASON_RECONCILIATION', message: 'gone' };
  assert.deepEqual(kinds(core.onUpdate(anUpdate('p', 'TASK_LOST', lost))), ['fail-pod']);
});

test('FrameworkCore kills tasks of pods that the API no longer has', () => {
  const core = aCore();
  const running = anUpdate('ghost', 'TASK_RUNNING', { uuid: 'u' });
  assert.deepEqual(kinds(core.onUpdate(running)), ['acknowledge', 'kill']);
});

test('FrameworkCore does not kill what cannot be reached: the answer would be the same word again', () => {
  const core = aCore();
  const unreachable = { reason: 'REASON_RECONCILIATION', source: 'SOURCE_MASTER' };
  assert.deepEqual(core.onUpdate(anUpdate('ghost', 'TASK_UNREACHABLE', unreachable)), []);
});

test('FrameworkCore removes a deleted pod that never ran from the API', () => {
  const core = aCore();
  core.onPod(aView('p'));
  core.onOffers([anOffer('o')]);
  core.onPod(aView('p', { nodeName: 'n' }, { isDeleting: true }));
  assert.deepEqual(kinds(core.onBound('p', 'done')), ['remove-pod', 'decline', 'suppress']);
});

/** An instance that has seen what there is and runs its executor on the agent. */
function anInformedCore(): FrameworkCore {
  const core = aCore();
  core.onOffers([anOffer('first')]);
  core.onExecutorRunning('A');
  return core;
}

function wantedOf(effects: readonly FrameworkEffect[]) {
  const request = effects.findLast((effect) => effect.kind === 'request');
  return request?.wanted.map(({ agentId, amounts: some, ports }) => [
    agentId,
    some?.cpuMilli,
    ports.join(),
  ]);
}

const cut = (id: string, cpuMilli: number): Offer => ({
  ...anOffer(id),
  amounts: { ...amounts, cpuMilli, memoryBytes: 2 ** 26 },
  ports: [],
  hasExecutor: true,
});

test('FrameworkCore asks for what waits where its executor runs, and for all where it does not', () => {
  const core = anInformedCore();
  const effects = core.onPod(
    aView('p', { hostPorts: [{ protocol: 'TCP', hostIp: '', port: 31_005 }] }),
  );
  assert.deepEqual(kinds(effects), ['request', 'revive']);
  assert.deepEqual(wantedOf(effects), [['A', 100, '31005']]);
  core.onExecutorEnded('A');
  assert.deepEqual(wantedOf(core.onPod(aView('q'))), [['A', undefined, '']]);
});

test('FrameworkCore asks for many alike by few requests, each of which holds whole pods', () => {
  const core = anInformedCore();
  let last: FrameworkEffect[] = [];
  for (let i = 0; i < 11; i++) last = core.onPod(aView(`p${i}`));
  assert.deepEqual(
    wantedOf(last)?.map(([, cpuMilli]) => cpuMilli),
    [400, 400, 200, 100],
  );
});

test('FrameworkCore asks again for those that found no place, without lifting refusals', () => {
  const core = anInformedCore();
  core.onPod(aView('p'));
  core.onPod(aView('q'));
  const effects = core.onOffers([cut('o', 100)]);
  assert.deepEqual(kinds(effects), ['bind', 'request']);
  assert.deepEqual(wantedOf(effects), [['A', 100, '']]);
  // What comes while the first is bound waits for it, so that it is not refused.
  assert.deepEqual(kinds(core.onOffers([cut('o2', 100)])), ['request']);
  assert.deepEqual(kinds(core.onBound('p', 'done')), ['accept', 'bind']);
  assert.deepEqual(kinds(core.onBound('q', 'done')), ['accept', 'suppress']);
  assert.equal(core.allocatable('A').offered?.cpuMilli, 4_000, 'a cut offer is not all there is');
});

test('FrameworkCore takes whole offers when what it asked for does not come, and says why', () => {
  const core = anInformedCore();
  core.onPod(aView('p', { requests: { ...noAmounts, cpuMilli: 3_000 } }));
  const effects = core.onDemandUnmet();
  assert.deepEqual(kinds(effects), ['request', 'revive']);
  assert.deepEqual(wantedOf(effects), []);
  assert.deepEqual(kinds(core.onOffers([cut('o', 1_000)])), ['unschedulable', 'decline']);
  assert.deepEqual(kinds(core.onDemandUnmet()), []);
  assert.deepEqual(kinds(core.onOffers([anOffer('o2')])), ['bind']);
  core.onBound('p', 'done');
  assert.deepEqual(kinds(core.onPod(aView('next'))), ['request', 'revive'], 'then it asks again');
});

test('FrameworkCore takes the master’s word for it that its executor is gone, where it has nothing', () => {
  const core = anInformedCore();
  // Word of a task that came late; its executor ended meanwhile.
  core.onUpdate(anUpdate('ghost', 'TASK_RUNNING'));
  assert.equal(core.isExecutorRunning('A'), true);
  core.onPod(aView('p'));
  core.onOffers([{ ...cut('o', 100), hasExecutor: false }]);
  assert.equal(core.isExecutorRunning('A'), false);
  core.onOffers([anOffer('o2')]);
  core.onExecutorRunning('A');
  core.onBound('p', 'done');
  core.onOffers([anOffer('made before the launch')]);
  assert.equal(core.isExecutorRunning('A'), true);
});

test('FrameworkCore takes whole offers for pods that fit nowhere', () => {
  const core = anInformedCore();
  core.onPod(aView('p'));
  const effects = core.onPod(aView('big', { requests: { ...noAmounts, cpuMilli: 9_000 } }));
  assert.deepEqual(kinds(effects), ['request', 'revive']);
  assert.deepEqual(wantedOf(effects), []);
});

test('FrameworkCore asks again about tasks that nobody has answered for', () => {
  const core = aCore();
  core.onPod(aView('p'));
  core.onOffers([anOffer('o')]);
  core.onBound('p', 'done');
  assert.deepEqual(kinds(core.askAgain()), ['reconcile']);
  core.onUpdate(anUpdate('p', 'TASK_STAGING', { source: 'SOURCE_MASTER' }));
  assert.deepEqual(kinds(core.askAgain()), ['reconcile'], 'it was sent; whether it came is open');
  core.onUpdate(anUpdate('p', 'TASK_STARTING', { uuid: 'u' }));
  assert.deepEqual(kinds(core.askAgain()), []);
});

test('FrameworkCore does not take late word of an attempt for word of the next', () => {
  const core = aCore();
  core.onPod(aView('p'));
  core.onOffers([anOffer('o')]);
  core.onBound('p', 'done');
  const dropped = { source: 'SOURCE_SLAVE', reason: 'REASON_RECONCILIATION', uuid: 'u' };
  core.onPod(aView('p', { nodeName: 'n' }));
  core.onUpdate(anUpdate('p', 'TASK_DROPPED', dropped));
  core.onOffers([anOffer('o2')]);
  assert.deepEqual(launchedBy(core.onNoted('p', 'done')), ['p.2']);
  assert.deepEqual(kinds(core.onUpdate(anUpdate('p', 'TASK_DROPPED', dropped))), ['acknowledge']);
  const alive = { uuid: 'v' };
  assert.deepEqual(kinds(core.onUpdate(anUpdate('p', 'TASK_RUNNING', alive))), ['acknowledge']);
  core.onUpdate(anUpdate('p.2', 'TASK_RUNNING', { uuid: 'w' }));
  const failed = anUpdate('p.2', 'TASK_FAILED', { uuid: 'x' });
  assert.deepEqual(kinds(core.onUpdate(failed)), ['acknowledge', 'fail-pod']);
});
