// The master's flags of times, counts and choices: what they mean, and what is refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultCode } from '#base/fault.ts';
import { settingsFrom } from './setting-flags.ts';

test('without flags everything is as Mesos has it', () => {
  const { allocator, ...rest } = settingsFrom({});
  assert.deepEqual(rest, {
    agentPingTimeoutMs: 15_000,
    agentPingTimeoutsMax: 5,
    agentReregisterTimeoutMs: 600_000,
    agentRemovalRate: undefined,
    completedFrameworksMax: 50,
    completedTasksMax: 1_000,
    unreachableTasksMax: 1_000,
    collection: { intervalMs: 900_000, ageMsMax: 1_209_600_000, countMax: 102_400 },
    operatorStreamsMax: 1_000,
    refusesRoot: false,
  });
  assert.deepEqual(allocator, {
    minimums: [new Map([['cpus', 10]]), new Map([['mem', 32_000]])],
    isGpuFiltered: true,
    excludedNames: [],
    roleSorter: 'drf',
    frameworkSorter: 'drf',
  });
});

test('given ones are read in their own forms; others are for others', () => {
  const settings = settingsFrom({
    agent_removal_rate_limit: '2/10mins',
    min_allocatable_resources: 'cpus:1;mem:64|gpus:1',
    fair_sharing_excluded_resource_names: 'gpus,disk',
    root_submissions: 'false',
    acls: '{}',
  });
  assert.deepEqual(settings.agentRemovalRate, { count: 2, perMs: 600_000 });
  assert.deepEqual(settings.allocator?.minimums, [
    new Map([
      ['cpus', 1_000],
      ['mem', 64_000],
    ]),
    new Map([['gpus', 1_000]]),
  ]);
  assert.deepEqual(settings.allocator?.excludedNames, ['gpus', 'disk']);
  assert.equal(settings.refusesRoot, true);
});

const wrong: readonly (readonly [string, string, RegExp])[] = [
  ['agent_ping_timeout', '10ms', /it must be from 1secs to 15mins/],
  ['agent_ping_timeout', '1hrs', /it must be from 1secs to 15mins/],
  ['max_agent_ping_timeouts', '0', /it must be 1 or more/],
  ['agent_reregister_timeout', '9mins', /it must be 10mins or more/],
  ['agent_removal_rate_limit', '5', /it must be NUMBER\/DURATION/],
  ['agent_removal_rate_limit', '0/1mins', /it must be 1 or more/],
  ['min_allocatable_resources', 'cpus', /"cpus" is no NAME:AMOUNT/],
  ['role_sorter', 'fair', /"fair" is none of drf, random/],
  ['max_completed_frameworks', '-1', /"-1" is no number/],
];

for (const [name, text, message] of wrong) {
  test(`${name}=${text} is refused`, () => {
    assert.throws(
      () => settingsFrom({ [name]: text }),
      (error) => faultCode(error) === 'bad-flag' && message.test(String(error)),
    );
  });
}
