// The framework core's decisions, event by event, written as short stories.
import assert from 'node:assert/strict';
import { test } from 'node:test';
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
  const pod: SchedulingPod = {
    uid,
    namespace: 'default',
    name: uid,
    priority: 0,
    createdAt: 0,
    requests: { ...noAmounts, cpuMilli: 100 },
    extended: {},
    hostPorts: [],
    nodeName: undefined,
    nodeSelector: {},
    requiredTerms: undefined,
    preferredTerms: [],
    tolerations: [],
    spreadKey: '',
    ...more,
  };
  return { pod, phase: 'Pending', isDeleting: false, hasStarted: false, ...view };
}

const anOffer = (id: string): Offer => ({ id, agentId: 'A', amounts, ports: agent.ports });

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
  assert.deepEqual(kinds(core.onBound('p', 'bound')), []);
  const effects = core.onBound('q', 'bound');
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
  assert.deepEqual(kinds(core.onBound('p', 'gone')), ['decline', 'suppress']);
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
  assert.deepEqual(kinds(core.onOffers([anOffer('o')])), ['accept', 'suppress']);
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
  assert.deepEqual(kinds(core.onBound('p', 'bound')), ['remove-pod', 'decline', 'suppress']);
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
  assert.deepEqual(kinds(core.onBound('p', 'bound')), ['accept', 'bind']);
  assert.deepEqual(kinds(core.onBound('q', 'bound')), ['accept', 'suppress']);
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
  core.onBound('p', 'bound');
  assert.deepEqual(kinds(core.onPod(aView('next'))), ['request', 'revive'], 'then it asks again');
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
  core.onBound('p', 'bound');
  assert.deepEqual(kinds(core.askAgain()), ['reconcile']);
  core.onUpdate(anUpdate('p', 'TASK_STAGING', { source: 'SOURCE_MASTER' }));
  assert.deepEqual(kinds(core.askAgain()), ['reconcile'], 'it was sent; whether it came is open');
  core.onUpdate(anUpdate('p', 'TASK_STARTING', { uuid: 'u' }));
  assert.deepEqual(kinds(core.askAgain()), []);
});

test('FrameworkCore takes an end that is told again for the end of the same attempt', () => {
  const core = aCore();
  core.onPod(aView('p'));
  core.onOffers([anOffer('o')]);
  core.onBound('p', 'bound');
  const dropped = { source: 'SOURCE_SLAVE', reason: 'REASON_RECONCILIATION', uuid: 'u' };
  core.onPod(aView('p', { nodeName: 'n' }));
  core.onUpdate(anUpdate('p', 'TASK_DROPPED', dropped));
  assert.deepEqual(kinds(core.onOffers([anOffer('o2')])), ['accept', 'suppress']);
  assert.deepEqual(kinds(core.onUpdate(anUpdate('p', 'TASK_DROPPED', dropped))), ['acknowledge']);
});
