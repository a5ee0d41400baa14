// What flags of the master do to its decisions: offers that time out, agents that may be offered, and
// agents that do not come back after a failover.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentInfo } from '#wire/mesos/v1.ts';
import { aTask, TestMaster, testOptions } from './core-fixture.ts';
import type { MasterEffect, MasterOptions } from './types.ts';

const DAY_MS = 86_400_000;

function recovered(count: number) {
  const agents = Array.from({ length: count }, (_, at): AgentInfo => ({
    hostname: `host-${at}`,
    id: { value: `old-${at}` },
  }));
  return { agents, unreachable: [], weights: [] };
}

/** What a master that has waited for them makes of agents that did not come back. */
function afterWaiting(count: number, more: Partial<MasterOptions>) {
  const master = new TestMaster(recovered(count), { ...testOptions, ...more });
  const { connection } = master.subscribe();
  const effects: MasterEffect[] = [];
  const perform = master.perform.bind(master);
  master.perform = (all) => {
    effects.push(...all);
    perform(all);
  };
  master.wait(testOptions.agentReregisterTimeoutMs);
  return { master, connection, effects };
}

const unreachableIn = ({ registry }: TestMaster): string[] =>
  registry.flatMap((one) => (one.kind === 'mark-unreachable' ? [one.agentId] : []));

test('--offer_timeout: an offer that is not answered is rescinded, and given anew', () => {
  const master = new TestMaster(undefined, { ...testOptions, offerTimeoutMs: 5_000 });
  master.addAgent();
  const { connection } = master.subscribe();
  const [first] = master.offersOf(connection);
  assert.equal(master.core.nextDeadline() <= master.now + 5_000, true);
  master.wait(4_999);
  assert.equal(master.eventsOf(connection).filter(({ type }) => type === 'RESCIND').length, 0);
  master.wait(1);
  const rescinds = master.eventsOf(connection).filter(({ type }) => type === 'RESCIND');
  assert.deepEqual(
    rescinds.map((event) => event.rescind?.offer_id),
    [first?.id],
  );
  assert.equal(master.offersOf(connection).length, 2);
});

test('--offer_timeout: what was answered in time is left alone', () => {
  const master = new TestMaster(undefined, { ...testOptions, offerTimeoutMs: 5_000 });
  master.addAgent();
  const { connection, frameworkId } = master.subscribe();
  const [first] = master.offersOf(connection);
  const filters = { refuse_seconds: 3_600 };
  const offer_ids = [{ value: first?.id.value ?? '' }];
  master.call(frameworkId, { type: 'DECLINE', decline: { offer_ids, filters } });
  master.wait(10_000);
  assert.equal(
    master.eventsOf(connection).some(({ type }) => type === 'RESCIND'),
    false,
  );
});

test('--offer_timeout: inverse offers, too', () => {
  const master = new TestMaster(undefined, { ...testOptions, offerTimeoutMs: 5_000 });
  const agentId = master.addAgent();
  const { connection, frameworkId } = master.subscribe();
  const held = master.offersOf(connection)[0]?.id.value ?? '';
  assert.notEqual(held, '');
  const start = { nanoseconds: (master.now + DAY_MS) * 1e6 };
  const windows = [
    { machine_ids: [{ hostname: 'host', ip: '10.0.0.2' }], unavailability: { start } },
  ];
  const done = master.core.decide(() => master.core.maintenance.update({ windows }, true));
  assert.ok(!('status' in done));
  master.perform(done);
  const asked = master
    .eventsOf(connection)
    .flatMap((one) => one.inverse_offers?.inverse_offers ?? []);
  assert.deepEqual(
    asked.map(({ agent_id, framework_id }) => [agent_id?.value, framework_id.value]),
    [[agentId, frameworkId]],
  );
  master.wait(5_000);
  const taken = master
    .eventsOf(connection)
    .map((one) => one.rescind_inverse_offer?.inverse_offer_id);
  assert.ok(taken.some((id) => id?.value === asked[0]?.id.value));
});

test('--whitelist: only agents of its hosts are offered, and it may change', () => {
  const master = new TestMaster();
  master.perform(master.core.setWhitelist(new Set(['elsewhere'])));
  const id = master.addAgent();
  const { connection, frameworkId } = master.subscribe();
  assert.deepEqual(master.offersOf(connection), []);
  const why = master.core.state.allocator.explain(frameworkId, 'r', master.now);
  assert.deepEqual(why?.agents.byReason, { 'not-whitelisted': 1 });
  master.perform(master.core.setWhitelist(new Set(['elsewhere', 'host'])));
  assert.deepEqual(
    master.offersOf(connection).map(({ agent_id }) => agent_id.value),
    [id],
  );
  // What is offered stays so; it is not offered again.
  master.perform(master.core.setWhitelist(new Set()));
  assert.equal(
    master.eventsOf(connection).some(({ type }) => type === 'RESCIND'),
    false,
  );
  master.disconnect(connection);
  assert.deepEqual(master.offersOf(master.subscribe().connection), []);
});

test('--recovery_agent_removal_limit: above it the master ends and marks nobody', () => {
  const { master, effects, connection } = afterWaiting(4, { recoveryRemovalLimit: 0.5 });
  const [fail] = effects.filter(({ kind }) => kind === 'fail');
  assert.match(
    fail?.kind === 'fail' ? fail.message : '',
    /^Post-recovery agent removal limit exceeded! .* 4 \(100%\) agents .* limit is 50%\./,
  );
  assert.deepEqual(unreachableIn(master), []);
  assert.equal(
    master.eventsOf(connection).some(({ type }) => type === 'FAILURE'),
    false,
  );
});

test('--recovery_agent_removal_limit: within it they are unreachable, and frameworks are told', () => {
  const { master, effects, connection } = afterWaiting(4, { recoveryRemovalLimit: 1 });
  assert.deepEqual(
    effects.filter(({ kind }) => kind === 'fail'),
    [],
  );
  assert.deepEqual(unreachableIn(master), ['old-0', 'old-1', 'old-2', 'old-3']);
  const told = master.eventsOf(connection).filter(({ type }) => type === 'FAILURE');
  assert.equal(told.length, 4);
  const { counters } = master.core.state;
  assert.equal(counters.get('recovery_slave_removals'), 4);
  assert.equal(counters.get('slave_removals/reason_unhealthy'), 4);
});

test('--agent_removal_rate_limit holds for agents that do not come back, too', () => {
  const agentRemovalRate = { count: 1, perMs: 60_000 };
  const { master } = afterWaiting(3, { agentRemovalRate });
  assert.deepEqual(unreachableIn(master), ['old-0']);
  // One that comes back meanwhile is spared.
  const slave = { hostname: 'host-1', id: { value: 'old-1' } };
  const body = { slave, version: '1.11.0', agent_capabilities: [] };
  master.fromAgent('slave(1)@10.0.0.9:5051', { name: 'ReregisterSlaveMessage', body });
  master.wait(60_000);
  assert.deepEqual(unreachableIn(master), ['old-0', 'old-2']);
  assert.equal(master.core.state.counters.get('slave_unreachable_canceled'), 1);
});

test('an agent is unreachable for frameworks only when the registry says so', () => {
  const master = new TestMaster(undefined, { ...testOptions, agentPingTimeoutsMax: 1 });
  const pid = 'slave(1)@10.0.0.2:5051';
  const agentId = master.addAgent(pid);
  const { connection, frameworkId } = master.subscribe();
  const offer = master.offersOf(connection)[0]?.id.value ?? '';
  master.launch(frameworkId, offer, aTask('t', agentId));
  const { core } = master;
  const written: number[] = [];
  const effects: MasterEffect[] = [];
  // Writes take their time.
  master.perform = (all) => {
    effects.push(...all);
    for (const effect of all) if (effect.kind === 'persist') written.push(effect.token);
  };
  master.wait(15_000);
  master.wait(15_000);
  assert.deepEqual(
    effects.flatMap((one) => (one.kind === 'persist' ? [one.change.kind] : [])),
    ['mark-unreachable'],
  );
  const told = (): string[] =>
    effects.flatMap((one) => (one.kind === 'event' ? [one.event.type ?? ''] : []));
  assert.deepEqual(told(), []);
  // An agent that comes back meanwhile has to ask again.
  const body = { slave: { hostname: 'host', id: { value: agentId } }, version: '1.11.0' };
  master.fromAgent(pid, { name: 'ReregisterSlaveMessage', body });
  assert.deepEqual(written.length, 1);
  effects.push(...core.confirm(written[0] ?? 0, master.now));
  assert.deepEqual(told().toSorted(), ['FAILURE', 'UPDATE']);
  assert.equal(core.state.unreachable.has(agentId), true);
});
