// What is put together out of kept texts is what the fields of the offers would be written as.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AGENT_CAPABILITIES } from '#mesos/resources/agent-capabilities.ts';
import { parseResources } from '#mesos/resources/parse.ts';
import { stringify } from '#wire/mesos/codec.ts';
import type { AgentInfo, FrameworkInfo } from '#wire/mesos/v1.ts';
import { aFramework, aTask, testOptions, TestMaster } from './core-fixture.ts';

const domain = { fault_domain: { region: { name: 'r "1"' }, zone: { name: 'z' } } };
const attributes: AgentInfo['attributes'] = [
  { name: 'räck', type: 'TEXT', text: { value: 'a "b" \\ ü' } },
  { name: 'weight', type: 'SCALAR', scalar: { value: 1.5 } },
];

const slaves: readonly AgentInfo[] = [
  { hostname: 'plain', resources: parseResources('cpus:4;mem:1000;ports:[1-5,7-9]') },
  { hostname: 'wörker "1"', resources: parseResources('cpus:1.5;mem:512'), attributes },
  { hostname: 'far', resources: parseResources('cpus:2;cpus(r):1;mem:64'), attributes, domain },
  { hostname: 'down', resources: parseResources('cpus:2;mem:64') },
];

function withAgents(): TestMaster {
  const master = new TestMaster(undefined, { ...testOptions, domain });
  for (const [i, slave] of slaves.entries()) {
    const agent_capabilities = AGENT_CAPABILITIES.map((type) => ({ type }));
    const body = { slave, version: '1.11.0', agent_capabilities };
    master.fromAgent(`slave(1)@10.0.0.${i + 2}:5051`, { name: 'RegisterSlaveMessage', body });
  }
  const machine_ids = [{ hostname: 'down', ip: '10.0.0.5' }];
  const windows = [{ machine_ids, unavailability: { start: { nanoseconds: 1e15 } } }];
  const done = master.core.decide(() => master.core.maintenance.update({ windows }, true));
  assert.ok(!('status' in done));
  master.perform(done);
  return master;
}

const frameworks: Readonly<Record<string, Partial<FrameworkInfo>>> = {
  'of many roles': { roles: ['r', 's'] },
  'with refined reservations': {
    capabilities: [{ type: 'MULTI_ROLE' }, { type: 'RESERVATION_REFINEMENT' }],
  },
  'of one role': { role: 'r', capabilities: [] },
};

for (const [name, info] of Object.entries(frameworks)) {
  test(`offers to a framework ${name}`, () => {
    const master = withAgents();
    const { roles: _roles, ...rest } = aFramework();
    const framework = info.role === undefined ? { ...rest, roles: ['r'], ...info } : rest;
    const { connection, frameworkId } = master.subscribe({ ...framework, ...info });
    const [offer] = master.offersOf(connection);
    // Something runs there from then on, and what is left of the agent is offered again.
    const task = aTask('t', offer?.agent_id.value ?? '', 'cpus:0.5;mem:16');
    const executor = { executor_id: { value: 'e "1"' }, command: { value: 'true' } };
    const { command: _command, ...own } = { ...task, executor };
    master.launch(frameworkId, offer?.id.value ?? '', own);
    master.wait(10_000);
    const events = master.eventsOf(connection).filter(({ type }) => type === 'OFFERS');
    const offers = master.offersOf(connection);
    assert.equal(new Set(offers.map(({ hostname }) => hostname)).size, slaves.length);
    assert.ok(offers.some(({ unavailability }) => unavailability !== undefined));
    assert.ok(offers.some(({ executor_ids }) => executor_ids?.length === 1));
    for (const event of events) {
      const values = structuredClone(event);
      assert.equal(stringify('SchedulerEvent', event), stringify('SchedulerEvent', values));
    }
  });
}
