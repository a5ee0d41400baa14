// How offers are told: many in one event, in portions, and nothing that was taken back meanwhile.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aFramework, aTask, TestMaster } from './core-fixture.ts';
import type { MasterEffect } from './types.ts';

const AGENTS = 1_000;

function withAgents(): TestMaster {
  const master = new TestMaster();
  for (let i = 0; i < AGENTS; i++) master.addAgent(`slave(1)@10.0.${i >> 8}.${i & 255}:5051`);
  return master;
}

const isSoon = (effect: MasterEffect): boolean =>
  effect.kind === 'allocate-soon' && !effect.isPatient;

test('frameworks get their offers of one run in few events, each agent once', () => {
  const master = withAgents();
  // Subscribed before any of them is offered something.
  const connections = [10_001, 10_002, 10_003, 10_004];
  const effects = connections.flatMap((connection) => {
    master.events.set(connection, []);
    const framework_info = aFramework({ roles: [`r${connection}`] });
    const call = { type: 'SUBSCRIBE' as const, subscribe: { framework_info } };
    const outcome = master.core.subscribe(connection, call, master.now);
    assert.ok(!('status' in outcome));
    return outcome;
  });
  master.perform(effects);
  const agents = new Set<string>();
  for (const connection of connections) {
    const events = master.eventsOf(connection).filter(({ type }) => type === 'OFFERS');
    assert.ok(events.length <= 2, `${events.length} events for ${AGENTS / 4} offers`);
    for (const { agent_id } of master.offersOf(connection)) agents.add(agent_id.value);
    assert.equal(master.offersOf(connection).length, AGENTS / 4);
  }
  assert.equal(agents.size, AGENTS);
});

test('allocate() goes on in portions; what is taken back before it is told is never told', () => {
  const master = withAgents();
  const connection = 10_001;
  const call = { type: 'SUBSCRIBE' as const, subscribe: { framework_info: aFramework() } };
  const outcome = master.core.subscribe(connection, call, master.now);
  assert.ok(!('status' in outcome) && outcome.some(isSoon));
  const first = master.core.allocate(master.now);
  assert.ok(first.some(isSoon), 'there is more to do');
  assert.ok(!first.some(({ kind }) => kind === 'event'), 'too few to tell of');
  const offered = [...master.core.state.offers.values()].map(({ agentId }) => agentId);
  assert.ok(offered.length > 0 && offered.length < AGENTS);
  const gone = master.core.state.agents.get(offered[0] ?? '');
  const exited = master.core.onAgentExited(gone?.pid ?? '', master.now);
  assert.ok(!exited.some(({ kind }) => kind === 'event'), 'no RESCIND of what nobody knows');
  master.events.set(connection, []);
  master.perform(master.core.allocate(master.now));
  const told = new Set(master.offersOf(connection).map(({ agent_id }) => agent_id.value));
  assert.equal(told.size, AGENTS - 1);
  assert.ok(!told.has(gone?.id ?? ''));
});

test('what is declined is offered again with patience, what is revived at once', () => {
  const master = new TestMaster();
  master.addAgent();
  const { connection, frameworkId } = master.subscribe();
  const offer_ids = master.offersOf(connection).map(({ id }) => id);
  const decline = { type: 'DECLINE' as const, decline: { offer_ids } };
  const declined = master.core.call(frameworkId, decline, master.now);
  assert.deepEqual(declined, [{ kind: 'allocate-soon', isPatient: true }]);
  const revived = master.core.call(frameworkId, { type: 'REVIVE' }, master.now);
  assert.deepEqual(revived, [{ kind: 'allocate-soon', isPatient: false }]);
});

test('what waits with patience is not hastened by what has nothing to do with it', () => {
  const master = new TestMaster();
  const pid = 'slave(1)@10.0.0.2:5051';
  const agentId = master.addAgent(pid);
  const { connection, frameworkId } = master.subscribe();
  const offer_ids = master.offersOf(connection).map(({ id }) => id);
  const launch = { task_infos: [aTask('t', agentId)] };
  const accept = { offer_ids, operations: [{ type: 'LAUNCH' as const, launch }] };
  const accepted = master.core.call(frameworkId, { type: 'ACCEPT', accept }, master.now);
  assert.ok(!('status' in accepted));
  const runs = accepted.filter(({ kind }) => kind === 'allocate-soon');
  assert.deepEqual(runs, [{ kind: 'allocate-soon', isPatient: true }]);
  const pong = { name: 'PongSlaveMessage' as const, body: {} };
  assert.deepEqual(master.core.onAgentMessage(pid, pong, master.now, 1), []);
  const other = 'slave(1)@10.0.0.3:5051';
  master.addAgent(other);
  const last = master.offersOf(connection).slice(-2);
  assert.ok(
    last.some(({ agent_id }) => agent_id.value === agentId),
    'what was left comes with it',
  );
});

test('what changes while a run is under way is looked at by another one', () => {
  const master = withAgents();
  const { frameworkId, connection } = master.subscribe();
  const declined = master.offersOf(connection)[0];
  assert.ok(declined !== undefined);
  master.perform(
    master.core.call(frameworkId, { type: 'SUPPRESS' }, master.now) as readonly MasterEffect[],
  );
  const call = { type: 'SUBSCRIBE' as const, subscribe: { framework_info: aFramework() } };
  master.events.set(10_001, []);
  const rest = master.offersOf(connection).slice(1);
  const many = { type: 'DECLINE' as const, decline: { offer_ids: rest.map(({ id }) => id) } };
  master.core.call(frameworkId, many, master.now);
  master.core.subscribe(10_001, call, master.now);
  assert.ok(master.core.allocate(master.now).some(isSoon), 'there is more to do');
  const late = { type: 'DECLINE' as const, decline: { offer_ids: [declined.id] } };
  master.core.call(frameworkId, late, master.now);
  master.perform(master.core.allocate(master.now));
  const told = new Set(master.offersOf(10_001).map(({ agent_id }) => agent_id.value));
  assert.equal(told.size, AGENTS);
});
